/** All versions of one recording, made by the server one after the other: what is wanted now comes first. */

import { post, type ServerModel } from "./api.js";
import { readWav, type Recording } from "./wav.js";

const AHEAD_S = 60; // recordings up to this length get all versions, also those that nobody has asked for yet
const MAX_S = 300; // all versions together take a hundred times this in seconds of memory

/** One way of coding. */
export interface Version {
  readonly kbps: number;
  readonly decoder: ServerModel["decoders"][number];
}

/** A file of a bandwidth. */
export interface Coded {
  readonly file: ArrayBuffer;
  readonly seconds: number;
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

/** A recording and its versions. */
export class Lab {
  readonly coded = new Map<number, Coded>();
  readonly decoded = new Map<string, Decoded>();
  /** Called when a file or a version is there. */
  onNews: (version: Version) => void = () => undefined;
  /** Called when one cannot be made. */
  onError: (error: Error) => void = () => undefined;
  readonly #abort = new AbortController();
  #wanted: Version | null = null;
  #running = false;

  private constructor(
    readonly model: ServerModel,
    readonly source: Blob,
    readonly original: Recording,
  ) {}

  /**
   * Let the server read a recording.
   *
   * @throws Error if it is no audio, or too long for this page.
   */
  static async open(model: ServerModel, source: Blob): Promise<Lab> {
    if (source.size > model.limits.bytes) {
      throw new Error(`the file is larger than the ${model.limits.bytes / 1e6} MB that this server takes`);
    }
    const original = readWav((await post("/api/wav?bits=32", source)).bytes);
    const seconds = original.channels[0].length / original.rate;
    if (seconds > MAX_S) {
      throw new Error(`the recording has ${Math.round(seconds)} s, and this page takes ${MAX_S}: use recodec compress`);
    }
    return new Lab(model, source, original);
  }

  /** Length in seconds. */
  get durationS(): number {
    return this.original.channels[0].length / this.original.rate;
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
    const { bandwidths, decoders } = this.model;
    const all = decoders.flatMap((decoder) => bandwidths.map((kbps) => ({ kbps, decoder })));
    const missing = (this.durationS <= AHEAD_S ? all : []).filter((one) => !this.decoded.has(keyOf(one)));
    if (this.#wanted !== null && !this.decoded.has(keyOf(this.#wanted))) return this.#wanted;
    return missing[0] ?? null;
  }

  async #make(version: Version): Promise<void> {
    const { kbps, decoder } = version;
    const { signal } = this.#abort;
    let coded = this.coded.get(kbps);
    if (coded === undefined) {
      const made = await post(`/api/compress?bandwidth=${kbps}`, this.source, signal);
      coded = { file: made.bytes, seconds: made.seconds };
      this.coded.set(kbps, coded);
      this.onNews(version);
    }
    const made = await post(`/api/decompress?bits=32&decoder=${decoder}`, coded.file, signal);
    this.decoded.set(keyOf(version), { recording: readWav(made.bytes), seconds: made.seconds });
    this.onNews(version);
  }
}
