/** All versions of one recording, made by the server one after the other: what is wanted now comes first. */

import { post, type ServerModel } from "./api.js";
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

/** Called with the seconds after which a busy server is asked again. */
type OnBusy = (seconds: number) => void;

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
  readonly #onBusy: OnBusy;
  #loss: string | null = null;
  #tolerant = false;
  #wanted: Version | null = null;
  #running = false;

  private constructor(
    readonly model: ServerModel,
    readonly source: Blob,
    /** `null` for an `.ecdc` file. */
    readonly original: Recording | null,
    onBusy: OnBusy,
  ) {
    this.#onBusy = onBusy;
  }

  /**
   * Let the server read a recording, or decode an `.ecdc` file.
   *
   * @param onBusy - is called whenever the server has no time.
   * @throws Error if it is neither, or too long for this page.
   */
  static async open(model: ServerModel, source: Blob, onBusy: OnBusy): Promise<Lab> {
    const { bytes } = limitsOf(model);
    if (source.size > bytes) throw new Error(`the file is larger than the ${bytes / 1e6} MB that this server takes`);
    if ((await source.slice(0, MAGIC.length).text()) === MAGIC) return Lab.#openFile(model, source, onBusy);
    const original = readWav((await post("/api/wav?bits=32", source, { onBusy })).bytes);
    checkLength(model, original.channels[0].length / original.rate, "compress");
    return new Lab(model, source, original, onBusy);
  }

  static async #openFile(model: ServerModel, source: Blob, onBusy: OnBusy): Promise<Lab> {
    const said = new TextDecoder().decode((await post("/api/info", source, { onBusy })).bytes);
    const facts = JSON.parse(said) as Facts;
    checkLength(model, facts.duration_s ?? 0, "decompress");
    const lab = new Lab(model, source, null, onBusy);
    lab.#loss = facts.loss ?? null;
    lab.#tolerant = lab.#loss !== null || facts.version === 0; // version 0 shows only when it is decoded what is missing
    lab.coded.set(null, { file: await source.arrayBuffer(), seconds: null });
    await lab.#make({ kbps: null, decoder: model.decoders[0] });
    checkLength(model, lab.durationS, "decompress");
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
    const options = { signal: this.#abort.signal, onBusy: this.#onBusy };
    let coded = this.coded.get(kbps);
    if (coded === undefined) {
      const made = await post(`/api/compress?bandwidth=${kbps}`, this.source, options);
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

function checkLength(model: ServerModel, seconds: number, command: string): void {
  const { seconds: most } = limitsOf(model);
  if (seconds <= most) return;
  const advice = `use \`recodec ${command}\` on the command line`;
  throw new Error(`this file has ${Math.round(seconds)} s of audio, and the page takes ${most} s at most: ${advice}`);
}
