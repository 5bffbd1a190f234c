/** All versions of one recording, made by the server one after the other: what is wanted now comes first. */

import { post, type PostOptions, type ServerModel } from "./api.js";
import { readWav, type Recording } from "./wav.js";

const AHEAD_S = 60; // recordings up to this length get all versions, also those that nobody has asked for yet
const MOST_S = 300; // all versions together take a hundred times this in seconds of memory
const MAGIC = "ECDC"; // an .ecdc file begins with it

/** One way of coding. */
export interface Version {
  /** `null` for an `.ecdc` file that was opened: it is heard as it is. */
  readonly kbps: number | null;
  readonly decoder: ServerModel["decoders"][number];
}

/** What `/api/info` says of an `.ecdc` file, as far as it is used here; of version 0 it says less. */
interface Facts {
  readonly version: number;
  readonly num_samples: number | null;
  readonly duration_s?: number;
  readonly loss?: string | null;
}

/** How a recording is opened. */
export interface OpenOptions extends Pick<PostOptions, "onBusy"> {
  /** Take what there is of a recording that was cut off or is damaged. */
  readonly partial?: boolean;
}

/** A file of a bandwidth. */
export interface Coded {
  readonly file: ArrayBuffer;
  /** That encoding took; `null` for a file that was opened. */
  readonly seconds: number | null;
}

/** What a decoder makes of it. */
export interface Decoded {
  readonly recording: Recording;
  readonly seconds: number;
}

/** The name of a version. */
export function keyOf({ kbps, decoder }: Version): string {
  return `${kbps} ${decoder}`;
}

/** The most that the page takes. */
export function limitsOf(model: ServerModel): { readonly seconds: number; readonly bytes: number } {
  return { seconds: Math.min(MOST_S, model.limits.seconds), bytes: model.limits.bytes };
}

/** A recording and its versions, or an `.ecdc` file and what the decoders make of it. */
export class Lab {
  readonly coded = new Map<number | null, Coded>();
  readonly decoded = new Map<string, Decoded>();
  /** Called when a file or a version is there. */
  onNews: (version: Version) => void = () => undefined;
  /** Called when one cannot be made. */
  onError: (error: Error) => void = () => undefined;
  readonly #abort = new AbortController();
  readonly #options: OpenOptions;
  #loss: string | null = null;
  #tolerant = false;
  #wanted: Version | null = null;
  #running = false;

  private constructor(
    readonly model: ServerModel,
    readonly source: Blob,
    /** `null` for an `.ecdc` file. */
    readonly original: Recording | null,
    options: OpenOptions,
  ) {
    this.#options = options;
  }

  /**
   * Let the server read a recording, or decode an `.ecdc` file.
   *
   * @throws Error if it is neither, or too long for this page; Refusal of the kind `IncompleteError` where `partial` would
   * help.
   */
  static async open(model: ServerModel, source: Blob, options: OpenOptions): Promise<Lab> {
    const { bytes } = limitsOf(model);
    if (source.size > bytes) throw new Error(`the file is larger than the ${bytes / 1e6} MB that this server takes`);
    if ((await source.slice(0, MAGIC.length).text()) === MAGIC) return Lab.#openFile(model, source, options);
    const original = readWav((await post(`/api/wav?bits=32${partialOf(options)}`, source, options)).bytes);
    checkLength(model, original.channels[0].length / original.rate);
    return new Lab(model, source, original, options);
  }

  static async #openFile(model: ServerModel, source: Blob, options: OpenOptions): Promise<Lab> {
    const said = new TextDecoder().decode((await post("/api/info", source, options)).bytes);
    const facts = JSON.parse(said) as Facts;
    checkLength(model, facts.duration_s ?? 0);
    const lab = new Lab(model, source, null, options);
    lab.#loss = facts.loss ?? null;
    lab.#tolerant = lab.#loss !== null || facts.version === 0; // version 0 shows only when it is decoded what is missing
    lab.coded.set(null, { file: await source.arrayBuffer(), seconds: null });
    await lab.#make({ kbps: null, decoder: model.decoders[0] });
    checkLength(model, lab.durationS);
    const wholeS = (facts.num_samples ?? 0) / model.sampling_rate;
    if (facts.version === 0 && lab.durationS < wholeS) {
      lab.#loss = `the end is missing; ${lab.durationS.toFixed(2)} s of ${wholeS.toFixed(2)} s are there`;
    }
    return lab;
  }

  /** Bandwidths of its versions; `null` stands for the file as it is. */
  get rates(): readonly (number | null)[] {
    return this.original === null ? [null] : this.model.bandwidths;
  }

  /** What is missing of an `.ecdc` file, in words; `null` if it is whole. The decoders conceal that. */
  get loss(): string | null {
    return this.#loss;
  }

  /** Length in seconds. */
  get durationS(): number {
    const [first] = this.original === null ? [...this.decoded.values()].map((one) => one.recording) : [this.original];
    return first.channels[0].length / first.rate;
  }

  /** Make this version next. */
  want(version: Version): void {
    this.#wanted = version;
    if (!this.#running) void this.#run();
  }

  /** Stop all work. */
  close(): void {
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      for (let next = this.#next(); next !== null; next = this.#next()) await this.#make(next);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.onError(error as Error);
    } finally {
      this.#running = false;
    }
  }

  #next(): Version | null {
    const all = this.model.decoders.flatMap((decoder) => this.rates.map((kbps) => ({ kbps, decoder })));
    const missing = (this.durationS <= AHEAD_S ? all : []).filter((one) => !this.decoded.has(keyOf(one)));
    if (this.#wanted !== null && !this.decoded.has(keyOf(this.#wanted))) return this.#wanted;
    return missing[0] ?? null;
  }

  async #make(version: Version): Promise<void> {
    const { kbps, decoder } = version;
    const options = { signal: this.#abort.signal, onBusy: this.#options.onBusy };
    let coded = this.coded.get(kbps);
    if (coded === undefined) {
      const made = await post(`/api/compress?bandwidth=${kbps}${partialOf(this.#options)}`, this.source, options);
      coded = { file: made.bytes, seconds: made.seconds };
      this.coded.set(kbps, coded);
      this.onNews(version);
    }
    const tolerant = this.#tolerant ? "&tolerant=1" : "";
    const made = await post(`/api/decompress?bits=32&decoder=${decoder}${tolerant}`, coded.file, options);
    this.decoded.set(keyOf(version), { recording: readWav(made.bytes), seconds: made.seconds });
    this.onNews(version);
  }
}

function partialOf({ partial = false }: OpenOptions): string {
  return partial ? "&partial=1" : "";
}

function checkLength(model: ServerModel, seconds: number): void {
  const { seconds: most } = limitsOf(model);
  if (seconds <= most) return;
  throw new Error(
    `it has ${Math.round(seconds)} s of audio, and the page takes ${most} s at most: choose a shorter recording, or a ` +
      "part of it",
  );
}
