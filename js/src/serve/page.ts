/** The page: a recording, heard coded and as it was, in step. Bundled as `page.js`. */

import { clock } from "../player/style.js";
import { fetchModel, type ServerModel } from "./api.js";
import { byId, DECODER_NAMES, DECODERS_SAID, make, say } from "./dom.js";
import { keyOf, Lab, type Version } from "./lab.js";
import { Recorder } from "./microphone.js";
import { drawSpectrogram } from "./spectrogram.js";
import { Table } from "./table.js";
import { Tracks } from "./tracks.js";

const ORIGINAL = "original";

class Page {
  readonly #model: ServerModel;
  readonly #table = new Table();
  readonly #recorder = new Recorder();
  #lab: Lab | null = null;
  #tracks: Tracks | null = null;
  #original = false;
  #version: Version;
  #loudest = 1;
  #shown = "";
  #opened = 0;

  constructor(model: ServerModel) {
    this.#model = model;
    this.#version = { kbps: model.default_bandwidth, decoder: model.decoders[0] };
    byId("model").textContent = `${model.name}, ${model.sampling_rate / 1000} kHz`;
    byId("hint").textContent =
      `Up to 5 minutes and ${Math.round(model.limits.bytes / 1e6)} MB. The server on this address codes it and keeps nothing.`;
    for (const mark of document.querySelectorAll(".top-mark")) mark.textContent = `${model.sampling_rate / 2000} kHz`;
    this.#makeChoices();
    this.#listenToSources();
    this.#listenToControls();
  }

  // ---- controls ----------------------------------------------------------------------------

  #makeChoices(): void {
    const versions = [ORIGINAL, ...this.#model.bandwidths.map(String)];
    byId("versions").append(
      ...versions.map((value) => this.#radio("version", value, value === ORIGINAL ? "Original" : `${value} kbps`)),
    );
    byId("decoders").append(...this.#model.decoders.map((one) => this.#radio("decoder", one, DECODER_NAMES[one])));
    byId("decoders").hidden = this.#model.decoders.length < 2;
  }

  #radio(group: string, value: string, text: string): HTMLLabelElement {
    const label = make("label");
    const chosen = group === "decoder" ? this.#version.decoder : String(this.#version.kbps);
    const input = make("input", "", { type: "radio", name: group, value });
    input.checked = value === chosen;
    label.append(input, make("span", text));
    return label;
  }

  #listenToSources(): void {
    const [drop, file] = [byId("drop"), byId<HTMLInputElement>("file")];
    byId("choose").onclick = () => file.click();
    file.onchange = () => {
      const [chosen] = file.files ?? [];
      if (chosen) void this.#open(chosen, chosen.name);
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
      if (dropped) void this.#open(dropped, dropped.name);
    };
    byId("record").onclick = () => void this.#record();
  }

  #listenToControls(): void {
    byId("versions").onchange = (event) => {
      const { value } = event.target as HTMLInputElement;
      this.#original = value === ORIGINAL;
      if (!this.#original) this.#version = { ...this.#version, kbps: Number(value) };
      this.#apply();
    };
    byId("decoders").onchange = (event) => {
      const decoder = (event.target as HTMLInputElement).value as Version["decoder"];
      this.#version = { ...this.#version, decoder };
      this.#apply();
    };
    byId("swap").onclick = () => {
      this.#original = !this.#original;
      const value = this.#original ? ORIGINAL : String(this.#version.kbps);
      document.querySelector<HTMLInputElement>(`input[name=version][value="${value}"]`)!.checked = true;
      this.#apply();
    };
    byId("play").onclick = () => void this.#toggle();
    byId("position").oninput = (event) => {
      this.#tracks?.seek(Math.round(Number((event.target as HTMLInputElement).value) * this.#model.sampling_rate));
      this.#showPosition();
    };
  }

  // ---- a recording -------------------------------------------------------------------------

  async #record(): Promise<void> {
    const button = byId("record");
    try {
      if (!this.#recorder.open) {
        await this.#recorder.start((seconds) => say(`Recording, ${clock(seconds)}`));
        button.textContent = "Stop recording";
        button.classList.add("recording");
        return;
      }
      button.textContent = "Record";
      button.classList.remove("recording");
      await this.#open(await this.#recorder.stop(), "recording.wav");
    } catch (error) {
      say((error as Error).message, true);
    }
  }

  async #open(source: Blob, name: string): Promise<void> {
    const turn = (this.#opened += 1);
    say(`Reading ${name}`);
    try {
      const lab = await Lab.open(this.#model, source);
      this.#tracks ??= await this.#makeTracks();
      if (turn !== this.#opened) return; // another one was chosen meanwhile
      this.#lab?.close();
      this.#lab = lab;
      lab.onNews = (version) => this.#news(lab, version);
      lab.onError = (error) => say(error.message, true);
      this.#tracks.clear();
      this.#tracks.add(ORIGINAL, lab.original);
      this.#tracks.choose(ORIGINAL);
      this.#loudest = drawSpectrogram(byId<HTMLCanvasElement>("original-picture"), lab.original.channels[0]);
      this.#shown = "";
      this.#table.clear(name);
      this.#table.show(lab);
      byId<HTMLInputElement>("position").max = String(lab.durationS);
      byId("listen").hidden = byId("figures").hidden = false;
      this.#showPosition();
      this.#apply();
    } catch (error) {
      if (turn === this.#opened) say((error as Error).message, true);
    }
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
    if (keyOf(version) === keyOf(this.#version)) this.#apply();
  }

  // ---- what is heard and seen --------------------------------------------------------------

  /** Hear and show what is chosen; what is not there yet is asked for, and heard when it comes. */
  #apply(): void {
    const key = keyOf(this.#version);
    const name = `${this.#version.kbps} kbps by ${DECODERS_SAID[this.#version.decoder]}`;
    const decoded = this.#lab?.decoded.get(key);
    byId("swap").textContent = this.#original ? "Hear it decoded" : "Hear the original";
    if (decoded === undefined) say(`Making ${name}`);
    else say(this.#original ? "You hear the original." : `You hear ${name}.`);
    if (this.#original) this.#tracks?.choose(ORIGINAL);
    else if (decoded) this.#tracks?.choose(key);
    if (decoded && this.#shown !== key) {
      drawSpectrogram(byId<HTMLCanvasElement>("coded-picture"), decoded.recording.channels[0], this.#loudest);
      byId("coded-caption").textContent = `Decoded: ${name}`;
      this.#shown = key;
    }
    this.#lab?.want(this.#version);
  }

  async #toggle(): Promise<void> {
    if (this.#tracks === null) return;
    if (this.#tracks.playing) this.#tracks.pause();
    else {
      await (this.#tracks.context as AudioContext).resume();
      this.#tracks.play();
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

fetchModel()
  .then((model) => new Page(model))
  .catch((error: Error) => say(`the server does not answer: ${error.message}`, true));
