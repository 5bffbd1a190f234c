/** The page's side: a codec whose networks run in a worker, so that the page stays awake. */

import { bytesOf, checkAddress, checkOptions, SWITCH, type Allowed } from "../checks.js";
import type { DecodeOptions, EncodeOptions, LoadOptions, PlayOptions } from "../codec/codec.js";
import type { DecodeStream, EncodeStream } from "../codec/streams.js";
import type { Unpacked } from "../codec/unpack.js";
import { transform } from "../codec/web_streams.js";
import type { Progress } from "../engine/assets.js";
import { ConfigError, errorNamed, RecodecError } from "../errors.js";
import type { Codes } from "../wire/codes.js";
import { type Calls, type Loaded, type Reply } from "./protocol.js";

/** How a model is loaded in a worker. */
export interface WorkerOptions extends LoadOptions {
  /** URL of `worker.js` of this package; by default beside the script that this is in. */
  worker?: string | URL;
}

const OPTIONS: Allowed<WorkerOptions> = { onProgress: "function", cache: SWITCH, runtime: null, worker: null };

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * A model in a worker. Its methods are those of `Codec`, with the same arguments and errors. Arrays that are given to
 * `encode`, `decode` and streams are copied.
 */
export class RemoteCodec {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  #last = 0;
  #loaded: Loaded | null = null;

  private constructor(script: URL, onProgress?: (progress: Progress) => void) {
    const worker = startWorker(script);
    this.#worker = worker;
    this.#onProgress = onProgress;
    worker.onmessage = (event: MessageEvent<Reply>) => this.#receive(event.data);
    worker.onerror = ({ message = "the file is missing, or the page may not load it" }) =>
      this.#fail(new RecodecError(`${script.href} cannot run: ${message}`));
  }

  /**
   * Start a worker, and load a model in it.
   *
   * @param url - of the folder that `recodec export --web` wrote.
   * @throws CheckpointError if there is no model; RecodecError if the worker does not start; ConfigError for options
   * that there are not.
   */
  static async load(url: string | URL, options: WorkerOptions = {}): Promise<RemoteCodec> {
    checkAddress(url);
    checkOptions(options, OPTIONS);
    const { worker, onProgress, runtime, cache } = options;
    const script = worker === undefined ? new URL("./worker.js", import.meta.url) : new URL(worker, location.href);
    const codec = new RemoteCodec(script, onProgress);
    const folder = runtime ?? new URL("./", script).href;
    const settings = { runtime: new URL(folder, location.href).href, ...(cache === undefined ? {} : { cache }) };
    try {
      const address = URL.canParse(url, location.href) ? new URL(url, location.href).href : String(url);
      codec.#loaded = (await codec.#call("load", [address, settings])) as Loaded;
      return codec;
    } catch (error) {
      codec.terminate();
      throw error;
    }
  }

  /** Name, fingerprint, numbers and decoders of the model. */
  get model(): Loaded {
    return this.#loaded as Loaded;
  }

  /** As `Codec.prepare`. */
  async prepare(what: "encode" | "decode", options: EncodeOptions & DecodeOptions = {}): Promise<void> {
    await this.#call("prepare", [what, options]);
  }

  /** As `Codec.encode`. */
  encode(audio: Float32Array, options: EncodeOptions = {}): Promise<Uint8Array> {
    return this.#call("encode", [audio, options]) as Promise<Uint8Array>;
  }

  /** As `Codec.decode`. */
  async decode(file: ArrayBuffer | Uint8Array, options: PlayOptions = {}): Promise<Float32Array> {
    return (await this.#call("decode", [bytesOf(file), options])) as Float32Array;
  }

  /** As `Codec.play`: pieces of a file, each decoded when it is asked for. */
  async *play(file: ArrayBuffer | Uint8Array, options: PlayOptions = {}): AsyncGenerator<Float32Array> {
    const stream = (await this.#call("openFile", [bytesOf(file), options])) as number;
    try {
      for (;;) {
        const piece = (await this.#call("next", [stream])) as Float32Array | null;
        if (piece === null) return;
        yield piece;
      }
    } finally {
      void this.#call("close", [stream]).catch(() => undefined);
    }
  }

  /** As `Codec.unpack`. */
  async unpack(file: ArrayBuffer | Uint8Array): Promise<Unpacked> {
    return (await this.#call("unpack", [bytesOf(file)])) as Unpacked;
  }

  /** As `Codec.pack`. */
  pack(codes: Codes, numSamples: number, options: EncodeOptions = {}): Promise<Uint8Array> {
    return this.#call("pack", [codes, numSamples, options]) as Promise<Uint8Array>;
  }

  /** As `Codec.encodeStream`. */
  encodeStream(options: EncodeOptions = {}): TransformStream<Float32Array, Uint8Array> {
    return transform(this.encoder(options));
  }

  /** As `Codec.decodeStream`. */
  decodeStream(options: DecodeOptions = {}): TransformStream<Uint8Array, Float32Array> {
    return transform(this.decoder(options));
  }

  /** As `Codec.encoder`. */
  async encoder(options: EncodeOptions = {}): Promise<EncodeStream> {
    const stream = (await this.#call("openEncoder", [options])) as number;
    return {
      push: (samples) => this.#call("push", [stream, samples]) as Promise<Uint8Array>,
      finish: async () => {
        const data = (await this.#call("finish", [stream])) as Uint8Array;
        await this.#call("close", [stream]);
        return data;
      },
    };
  }

  /** As `Codec.decoder`; `lostSamples` is a call. */
  async decoder(options: DecodeOptions = {}): Promise<Omit<DecodeStream, "lostSamples"> & { lost(): Promise<number> }> {
    const stream = (await this.#call("openDecoder", [options])) as number;
    let lost: number | null = null;
    return {
      push: (data) => this.#call("push", [stream, data]) as Promise<Float32Array>,
      finish: async () => {
        const samples = (await this.#call("finish", [stream])) as Float32Array;
        lost = (await this.#call("lostSamples", [stream])) as number;
        await this.#call("close", [stream]);
        return samples;
      },
      lost: async () => lost ?? ((await this.#call("lostSamples", [stream])) as number),
    };
  }

  /** Stop the worker. Calls that wait fail. */
  terminate(): void {
    this.#worker.terminate();
    this.#fail(new RecodecError("the worker was stopped"));
  }

  // ---- messages ----------------------------------------------------------------------------

  #call<Name extends keyof Calls>(method: Name, args: Parameters<Calls[Name]>): Promise<unknown> {
    const id = (this.#last += 1);
    return new Promise((resolve, reject) => {
      try {
        this.#worker.postMessage({ id, method, args });
      } catch (error) {
        throw new ConfigError(`an argument of ${method} cannot go to a worker: ${(error as Error).message}`);
      }
      this.#waiting.set(id, { resolve, reject });
    });
  }

  #receive(reply: Reply): void {
    if ("progress" in reply) {
      this.#onProgress?.(reply.progress);
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ("error" in reply) waiting?.reject(errorNamed(reply.error.name, reply.error.message));
    else waiting?.resolve(reply.value);
  }

  #fail(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

/** As `RemoteCodec.load`. */
export function loadInWorker(url: string | URL, options: WorkerOptions = {}): Promise<RemoteCodec> {
  return RemoteCodec.load(url, options);
}

/** Browsers start no worker from another site's script, but one that imports it. */
function startWorker(script: URL): Worker {
  if (script.origin === location.origin) return new Worker(script, { type: "module" });
  const source = new Blob([`import ${JSON.stringify(script.href)};`], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(source), { type: "module" });
}
