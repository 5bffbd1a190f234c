/** The page: a recording, heard coded and as it was, in step. Bundled as `page.js`. */

import { clock } from "../player/style.js";
import { fetchModel, Refusal, type ServerModel } from "./api.js";
import { byId, DECODER_NAMES, DECODERS_SAID, durationSaid, ended, make, rateSaid, remark, say } from "./dom.js";
import { keyOf, Lab, limitsOf, type Version } from "./lab.js";
import { RecordButton } from "./record.js";
import { drawSpectrogram } from "./spectrogram.js";
import { Table } from "./table.js";
import { Tracks } from "./tracks.js";
import { startSound } from "./waiting.js";

const INCOMPLETE = "IncompleteError"; // of a file of which the server can take a part
const ORIGINAL = "original";
const AS_IT_IS = "file";

/** What the listener has chosen; it stays when another recording is opened. */
interface Choice {
  original: boolean;
  kbps: number;
  decoder: Version["decoder"];
}

class Page {
  readonly #model: ServerModel;
  readonly #table = new Table();
  readonly #recording: RecordButton;
  readonly #choice: Choice;
  #lab: Lab | null = null;
  #name = ""; // of what is shown
  #tracks: Tracks | null = null;
  #loudest: number | undefined;
  #shown = "";
  #opened = 0;
  #waits = false;

  constructor(model: ServerModel) {
    this.#model = model;
    this.#choice = { original: false, kbps: model.default_bandwidth, decoder: model.decoders[0] };
    const limits = limitsOf(model);
    this.#recording = new RecordButton(limits, (wav, about) => this.#open(wav, "recording.wav", about));
    byId("model").textContent = `${model.name}, ${model.sampling_rate / 1000} kHz`;
    byId("hint").textContent =
      `The page takes up to ${durationSaid(limits.seconds)} and ${Math.round(limits.bytes / 1e6)} MB. ` +
      "The server at this address does the coding, and keeps nothing.";
    for (const mark of document.querySelectorAll(".top-mark")) mark.textContent = `${model.sampling_rate / 2000} kHz`;
    byId("decoders").append(
      ...model.decoders.map((one) => this.#radio("decoder", one, DECODER_NAMES[one], one === this.#choice.decoder)),
    );
    byId("decoders").hidden = model.decoders.length < 2;
    this.#listenToSources();
    this.#listenToControls();
  }

  /** The version that is chosen. Of an `.ecdc` file there is one for each decoder. */
  get #version(): Version {
    const { kbps, decoder } = this.#choice;
    return { kbps: this.#lab?.original === null ? null : kbps, decoder };
  }

  /** Whether the original is chosen, and there is one. */
  get #original(): boolean {
    return this.#choice.original && this.#lab?.original !== null;
  }

  // ---- controls ----------------------------------------------------------------------------

  #showChoices(lab: Lab): void {
    const chosen = this.#original ? ORIGINAL : String(this.#version.kbps ?? AS_IT_IS);
    const versions = lab.rates.map((kbps) => [String(kbps ?? AS_IT_IS), rateSaid(kbps)]);
    if (lab.original !== null) versions.unshift([ORIGINAL, "Original"]);
    const radios = versions.map(([value, text]) => this.#radio("version", value, text, value === chosen));
    byId("versions").replaceChildren(make("legend", "Version"), ...radios);
    byId("swap").hidden = byId("original-figure").hidden = lab.original === null;
  }

  #radio(group: string, value: string, text: string, checked: boolean): HTMLLabelElement {
    const label = make("label");
    const input = make("input", "", { type: "radio", name: group, value });
    input.checked = checked;
    label.append(input, make("span", text));
    return label;
  }

  #listenToSources(): void {
    const [drop, file] = [byId("drop"), byId<HTMLInputElement>("file")];
    byId("choose").onclick = () => file.click();
    file.onchange = () => {
      const [chosen] = file.files ?? [];
      if (chosen) this.#openFile(chosen);
      file.value = ""; // so that the same file may be chosen again
    };
    document.ondragover = (event) => {
      event.preventDefault(); // else the browser would open a file that misses the field
      drop.classList.add("over");
    };
    document.ondragleave = () => drop.classList.remove("over");
    document.ondrop = (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const [dropped] = event.dataTransfer?.files ?? [];
      if (dropped) this.#openFile(dropped);
    };
  }

  #listenToControls(): void {
    byId("versions").onchange = (event) => {
      const { value } = event.target as HTMLInputElement;
      this.#choice.original = value === ORIGINAL;
      if (Number(value)) this.#choice.kbps = Number(value);
      this.#apply();
    };
    byId("decoders").onchange = (event) => {
      this.#choice.decoder = (event.target as HTMLInputElement).value as Version["decoder"];
      this.#apply();
    };
    byId("swap").onclick = () => {
      this.#choice.original = !this.#choice.original;
      if (this.#lab) this.#showChoices(this.#lab);
      this.#apply();
    };
    byId("play").onclick = () => void this.#toggle();
    byId("position").oninput = (event) => {
      this.#tracks?.seek(Math.round(Number((event.target as HTMLInputElement).value) * this.#model.sampling_rate));
      this.#showPosition();
    };
  }

  // ---- a recording -------------------------------------------------------------------------

  #openFile(file: File): void {
    this.#recording.leave();
    void this.#open(file, file.name);
  }

  /** Open a recording or an `.ecdc` file; `about` is what there is to say of it. What is shown stays until it is open. */
  async #open(source: Blob, name: string, about = "", partial = false): Promise<void> {
    const turn = (this.#opened += 1);
    say(`The server is reading ${name}.`);
    remark(about);
    byId("partial").hidden = true;
    try {
      const onBusy = (seconds: number): void => this.#busy(turn, seconds);
      const lab = await Lab.open(this.#model, source, { onBusy, partial });
      this.#tracks ??= await this.#makeTracks();
      if (turn !== this.#opened) return; // another one was chosen meanwhile
      this.#show(lab, name, this.#tracks);
      const loss = partial ? "this is the part that is there" : lab.loss;
      byId("loss").textContent = loss === null ? "" : `The file is damaged or was cut off: ${loss}.`;
    } catch (error) {
      if (turn === this.#opened) this.#refuse(error as Error, source, name);
    }
  }

  /** Say what cannot be opened and why, and what is still open; offer what there is of a file that is not whole. */
  #refuse(error: Error, source: Blob, name: string): void {
    const still = this.#lab === null ? "" : ` What you hear below is still ${this.#name}.`;
    say(`${name} cannot be opened: ${ended(error.message)}${still}`, true);
    const button = byId("partial");
    button.hidden = !(error instanceof Refusal && error.kind === INCOMPLETE);
    button.onclick = () => void this.#open(source, name, "", true);
  }

  #show(lab: Lab, name: string, tracks: Tracks): void {
    this.#lab?.close();
    this.#lab = lab;
    byId("name").textContent = this.#name = name;
    lab.onNews = (version) => this.#news(lab, version);
    lab.onError = (error) => say(`${name} cannot be coded any further: ${ended(error.message)}`, true);
    tracks.clear();
    if (lab.original !== null) {
      tracks.add(ORIGINAL, lab.original);
      tracks.choose(ORIGINAL);
    }
    for (const [key, { recording }] of lab.decoded) tracks.add(key, recording);
    const canvas = byId<HTMLCanvasElement>("original-picture");
    this.#loudest = lab.original === null ? undefined : drawSpectrogram(canvas, lab.original.channels[0]);
    this.#shown = "";
    this.#table.clear(name);
    this.#table.show(lab);
    this.#showChoices(lab);
    byId<HTMLInputElement>("position").max = String(lab.durationS);
    byId("listen").hidden = byId("figures").hidden = false;
    this.#showPosition();
    this.#apply();
  }

  async #makeTracks(): Promise<Tracks> {
    const context = new AudioContext({ sampleRate: this.#model.sampling_rate });
    const tracks = await Tracks.create(context, this.#model.channels);
    tracks.onChange = () => this.#showPosition();
    return tracks;
  }

  #news(lab: Lab, version: Version): void {
    if (lab !== this.#lab) return;
    const decoded = lab.decoded.get(keyOf(version));
    if (decoded) this.#tracks?.add(keyOf(version), decoded.recording);
    this.#table.show(lab);
    if (keyOf(version) === keyOf(this.#version) || this.#waits) this.#apply();
  }

  /** The server has no time, and is asked again: say so until there is news. */
  #busy(turn: number, seconds: number): void {
    if (turn !== this.#opened) return;
    this.#waits = true;
    say(`The server is busy with other recordings. The page asks it again in ${seconds} s.`);
  }

  // ---- what is heard and seen --------------------------------------------------------------

  /** Hear and show what is chosen; what is not there yet is asked for, and heard when it comes. */
  #apply(): void {
    this.#waits = false;
    const version = this.#version;
    const [key, name] = [keyOf(version), nameOf(version)];
    const decoded = this.#lab?.decoded.get(key);
    byId("swap").textContent = this.#original ? "Hear it decoded" : "Hear the original";
    if (decoded === undefined) say(`The server is making ${name}.`);
    else say(this.#original ? "You hear the original." : `You hear ${name}.`);
    if (this.#original) this.#tracks?.choose(ORIGINAL);
    else if (decoded) this.#tracks?.choose(key);
    if (decoded && this.#shown !== key) {
      drawSpectrogram(byId<HTMLCanvasElement>("coded-picture"), decoded.recording.channels[0], this.#loudest);
      byId("coded-caption").textContent = name[0].toUpperCase() + name.slice(1);
      this.#shown = key;
    }
    this.#lab?.want(version);
  }

  async #toggle(): Promise<void> {
    if (this.#tracks === null) return;
    try {
      if (this.#tracks.playing) this.#tracks.pause();
      else {
        await startSound(this.#tracks.context as AudioContext);
        this.#tracks.play();
      }
    } catch (error) {
      say((error as Error).message, true);
    }
    this.#showPosition();
  }

  #showPosition(): void {
    if (this.#tracks === null || this.#lab === null) return;
    const { durationS } = this.#lab;
    const seconds = this.#tracks.position / this.#model.sampling_rate;
    const text = `${clock(seconds)} of ${clock(durationS)}`;
    byId("time").textContent = text;
    byId("play").textContent = this.#tracks.playing ? "Pause" : "Play";
    const slider = byId<HTMLInputElement>("position");
    slider.value = String(seconds);
    slider.setAttribute("aria-valuetext", text);
    for (const cursor of document.querySelectorAll<HTMLElement>(".cursor")) {
      cursor.style.left = `${(100 * seconds) / durationS}%`;
    }
  }
}

/** A version in a sentence. */
function nameOf({ kbps, decoder }: Version): string {
  const by = DECODERS_SAID[decoder];
  return `the ${kbps === null ? "file as it is" : `recording at ${kbps} kbps`}, decoded by ${by}`;
}

fetchModel()
  .then((model) => new Page(model))
  .catch((error: Error) => say(error.message, true));
