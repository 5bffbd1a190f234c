/** `<recodec-player src="x.ecdc">`: plays an `.ecdc` file, with waveform and bitrate over time. */

import { versionOf } from "../codec/player.js";
import { RemoteCodec } from "../worker/client.js";
import { inspect, type Span } from "../wire/inspection.js";
import { readMetadata } from "../wire/version0.js";
import { AudioOutput } from "./output.js";
import { draw, kbpsOf, Peaks } from "./picture.js";
import { clock, MARKUP, STYLE } from "./style.js";

const AHEAD_S = 30; // decoding waits where it is that far ahead of what is heard
const GRID_FRAMES = 75; // larger blocks are a little faster, and the first sound waits for one
const MAX_FILE_BYTES = 1 << 30;

const models = new Map<string, Promise<RemoteCodec>>();

/** The model of an address, in a worker that all players of the page share. */
function modelAt(url: string, runtime: string | null): Promise<RemoteCodec> {
  let found = models.get(url);
  if (found === undefined) {
    found = RemoteCodec.load(url, runtime === null ? {} : { runtime });
    models.set(url, found);
    found.catch(() => models.delete(url));
  }
  return found;
}

/**
 * Attributes: `src`, the file; `model`, the folder that `recodec export --web` wrote, by default `model/` beside this
 * script; `runtime`, the folder of onnxruntime-web's `.wasm`, by default this script's; `tolerant`, to conceal damage;
 * `preload="auto"`, to load the model as soon as the file is read, so that `play` need not wait for it.
 *
 * Events: `ready` when the file is read, `play`, `pause`, `timeupdate`, `ended`, and `error` with an `Error` as `detail`.
 */
export class RecodecPlayer extends HTMLElement {
  static readonly observedAttributes = ["src"];

  readonly #canvas: HTMLCanvasElement;
  readonly #slider: HTMLInputElement;
  readonly #button: HTMLButtonElement;
  #file: Uint8Array | null = null;
  #spans: readonly Span[] = [];
  #about = ""; // the file: its model, or what is wrong with it
  #numSamples = 0;
  #rate = 0;
  #peaks: Peaks | null = null;
  #output: AudioOutput | null = null;
  #context: AudioContext | null = null;
  #opening: Promise<AudioOutput> | null = null;
  #run = 0;
  #position = 0; // in samples, where nothing plays
  #decoding = false;
  #paused = true;
  #ended = false; // all that the file gives has been heard: of a damaged one less than its length

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.innerHTML = `<style>${STYLE}</style>${MARKUP}`;
    this.#canvas = root.querySelector("canvas") as HTMLCanvasElement;
    this.#slider = root.querySelector("input") as HTMLInputElement;
    this.#button = root.querySelector("button") as HTMLButtonElement;
    this.#button.onclick = () => void (this.#paused ? this.play().catch(() => undefined) : this.pause());
    this.#slider.oninput = () => (this.currentTime = Number(this.#slider.value));
    this.#canvas.onclick = (event) => (this.currentTime = (event.offsetX / this.#canvas.clientWidth) * this.duration);
    new ResizeObserver(() => this.#show()).observe(this.#canvas);
  }

  attributeChangedCallback(): void {
    void this.#open();
  }

  disconnectedCallback(): void {
    this.#run += 1;
    this.#paused = true;
    void this.#context?.close();
    [this.#context, this.#output, this.#opening] = [null, null, null];
  }

  /** Length in seconds; 0 until the file is read. A file of version 0 tells it when its model is loaded. */
  get duration(): number {
    return this.#rate ? this.#numSamples / this.#rate : 0;
  }

  /** Whether nothing plays. */
  get paused(): boolean {
    return this.#paused;
  }

  /** The next sample that will be heard, counted from the start. */
  get position(): number {
    return this.#output === null ? this.#position : this.#output.position;
  }

  /** In seconds; to set it is to seek, to the sample. */
  get currentTime(): number {
    return this.#rate ? this.position / this.#rate : 0;
  }

  set currentTime(seconds: number) {
    this.#position = Math.max(0, Math.min(this.#numSamples, Math.round(seconds * this.#rate) || 0));
    this.#output?.flush(this.#position);
    this.#run += 1;
    this.#decoding = this.#ended = false;
    if (!this.#paused && this.#output !== null) void this.#decode(this.#output);
    this.#show();
  }

  /** Play on from where it stands; at the end, from the beginning. The model is loaded when this is first called. */
  async play(): Promise<void> {
    try {
      this.#paused = false;
      this.#button.textContent = "Pause";
      this.#opening ??= this.#openOutput();
      const output = await this.#opening;
      await this.#context?.resume();
      if (this.#paused) return;
      if (this.#ended || this.position >= this.#numSamples) this.currentTime = 0;
      else if (!this.#decoding) void this.#decode(output);
      this.#tell("play");
    } catch (error) {
      this.#opening = null;
      this.#fail(error as Error);
      throw error;
    }
  }

  /** Stand still; the next sample is kept. */
  pause(): void {
    this.#paused = true;
    this.#button.textContent = "Play";
    void this.#context?.suspend();
    this.#tell("pause");
  }

  // ---- file and model ----------------------------------------------------------------------

  async #open(): Promise<void> {
    const src = this.getAttribute("src");
    this.disconnectedCallback();
    [this.#file, this.#spans, this.#position, this.#decoding, this.#ended] = [null, [], 0, false, false];
    if (!src) return;
    const run = this.#run;
    try {
      const response = await fetch(src);
      if (!response.ok) throw new Error(`${src} cannot be fetched: the server says ${response.status}`);
      if (Number(response.headers.get("content-length")) > MAX_FILE_BYTES)
        throw new Error(`${src} is too large to play`);
      const file = new Uint8Array(await response.arrayBuffer());
      if (run !== this.#run) return;
      this.#read(file);
      this.#tell("ready");
      if (this.getAttribute("preload") === "auto") await (await this.#model()).prepare("decode");
    } catch (error) {
      if (run === this.#run) this.#fail(error as Error);
    }
  }

  #read(file: Uint8Array): void {
    if (versionOf(file, this.#tolerant) === 1) {
      const found = inspect(file);
      [this.#numSamples, this.#rate, this.#spans] = [found.numSamples, found.header.samplingRate, found.spans];
      this.#about = found.intact ? found.header.model : `The file is damaged: ${found.faults().next().value}`;
    } else {
      const [metadata] = readMetadata(file);
      [this.#numSamples, this.#rate] = [metadata.numSamples, 0];
      this.#about = metadata.model;
    }
    this.#note(this.#about);
    this.#file = file;
    this.#peaks = new Peaks(this.#numSamples);
    this.#slider.disabled = this.#button.disabled = false;
    this.#show();
  }

  get #tolerant(): boolean {
    return this.hasAttribute("tolerant");
  }

  #model(): Promise<RemoteCodec> {
    const here = new URL("./model/", import.meta.url).href;
    const named = this.getAttribute("model");
    return modelAt(named === null ? here : new URL(named, document.baseURI).href, this.getAttribute("runtime"));
  }

  async #openOutput(): Promise<AudioOutput> {
    this.#note("The model is being loaded");
    const { model } = await this.#model();
    const { sampling_rate: rate, channels } = model.config;
    this.#rate = rate;
    this.#context = new AudioContext({ sampleRate: rate });
    const output = await AudioOutput.create(this.#context, channels);
    output.onReport = () => this.#reported();
    output.onOver = () => this.#over();
    output.flush(this.#position);
    this.#output = output;
    this.#note(this.#about || model.name);
    return output;
  }

  // ---- sound -------------------------------------------------------------------------------

  async #decode(output: AudioOutput): Promise<void> {
    const run = (this.#run += 1);
    this.#decoding = true;
    const codec = await this.#model();
    const { channels } = codec.model.config;
    const begin = output.position;
    let at = begin;
    try {
      const options = { start: at, tolerant: this.#tolerant, gridFrames: GRID_FRAMES };
      for await (const samples of codec.play(this.#file as Uint8Array, options)) {
        if (run !== this.#run) return;
        this.#peaks?.add(samples, samples.length / channels, at);
        at += samples.length / channels;
        output.push(samples, channels);
        while (at - output.position > AHEAD_S * this.#rate && run === this.#run) await delay(250);
      }
      if (run !== this.#run) return;
      output.end();
      if (this.#spans.length === 0 && at < this.#numSamples) this.#noteCut(begin, at); // version 0 tells only now
    } catch (error) {
      if (run === this.#run) this.#fail(error as Error);
    }
  }

  /** What was decoded from a sample on ends before the file's length. */
  #noteCut(begin: number, end: number): void {
    const [there, all] = [clock(end / this.#rate), clock(this.duration)];
    this.#about = `The file was cut off${end > begin ? `: ${there} of ${all} are there` : ` before ${there}`}`;
    this.#note(this.#about);
  }

  #reported(): void {
    this.#show();
    this.#tell("timeupdate");
  }

  #over(): void {
    if (this.#paused) return;
    this.#ended = true;
    this.pause();
    this.#tell("ended");
  }

  // ---- screen ------------------------------------------------------------------------------

  #show(): void {
    const { duration, currentTime } = this;
    const root = this.shadowRoot as ShadowRoot;
    this.#slider.max = String(duration || 1);
    this.#slider.value = String(currentTime);
    this.#slider.setAttribute("aria-valuetext", `${clock(currentTime)} of ${clock(duration)}`);
    (root.querySelector(".time") as HTMLElement).textContent = `${clock(currentTime)} / ${clock(duration)}`;
    const span = this.#spans.findLast((one) => one.startS <= currentTime);
    (root.querySelector(".rate") as HTMLElement).textContent = span ? `${kbpsOf(span).toFixed(1)} kbps` : "";
    const played = duration ? currentTime / duration : 0;
    draw(this.#canvas, { peaks: this.#peaks, spans: this.#spans, durationS: duration, played });
  }

  #note(text: string): void {
    (this.shadowRoot?.querySelector(".note") as HTMLElement).textContent = text;
  }

  #fail(error: Error): void {
    this.#paused = true;
    this.#button.textContent = "Play";
    this.#note(error.message);
    this.dispatchEvent(new CustomEvent("error", { detail: error }));
  }

  #tell(name: string): void {
    this.dispatchEvent(new Event(name));
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (!customElements.get("recodec-player")) customElements.define("recodec-player", RecodecPlayer);
export { AudioOutput, RemoteCodec };
