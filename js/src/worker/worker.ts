/** The worker's side: a codec that takes calls as messages. Bundled as `dist/worker.js`. */

import { Codec } from "../codec/codec.js";
import type { DecodeStream, EncodeStream } from "../codec/streams.js";
import { ConfigError } from "../errors.js";
import { transferable, type Calls, type Reply, type Request } from "./protocol.js";

type Stream = EncodeStream | DecodeStream | AsyncGenerator<Float32Array>;

/** The few things of a worker's global that are used here. */
interface WorkerScope {
  postMessage(message: Reply, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<Request>) => void) | null;
}

const scope = globalThis as unknown as WorkerScope;
const streams = new Map<number, Stream>();
let model: Codec | null = null;
let lastStream = 0;

function codec(): Codec {
  if (model === null) throw new ConfigError("no model is loaded: call load first");
  return model;
}

function opened(stream: Stream): number {
  streams.set((lastStream += 1), stream);
  return lastStream;
}

function streamOf<T extends Stream>(id: number): T {
  const found = streams.get(id);
  if (found === undefined) throw new ConfigError("the stream is closed");
  return found as T;
}

type Handlers = { [Name in keyof Calls]: (...args: Parameters<Calls[Name]>) => unknown };

const handlers: Handlers = {
  async load(url, options) {
    model = await Codec.load(url, { ...options, onProgress: (progress) => scope.postMessage({ progress }, []) });
    const { name, fingerprint, config, decoders } = model;
    return { name, fingerprint, config, decoders };
  },
  prepare: (what, options) => codec().prepare(what, options),
  encode: (audio, options) => codec().encode(audio, options),
  decode: (file, options) => codec().decode(file, options),
  unpack: (file) => codec().unpack(file),
  pack: (codes, numSamples, options) => codec().pack(codes, numSamples, options),
  openEncoder: async (options) => opened(await codec().encoder(options)),
  openDecoder: (options) => opened(codec().decoder(options)),
  openFile: (file, options) => opened(codec().play(file, options)),
  push: (stream, data) => streamOf<EncodeStream & DecodeStream>(stream).push(data as Float32Array & Uint8Array),
  finish: (stream) => streamOf<EncodeStream & DecodeStream>(stream).finish(),
  lostSamples: (stream) => streamOf<DecodeStream>(stream).lostSamples,
  async next(stream) {
    const { value, done } = await streamOf<AsyncGenerator<Float32Array>>(stream).next();
    return done ? null : value;
  },
  async close(stream) {
    const found = streams.get(stream);
    streams.delete(stream);
    if (found !== undefined && "return" in found) await found.return(undefined);
  },
};

async function answer({ id, method, args }: Request): Promise<void> {
  try {
    const value = await (handlers[method] as (...args: unknown[]) => unknown)(...args);
    scope.postMessage({ id, value }, transferable(value));
  } catch (error) {
    const { name, message } = error as Error;
    scope.postMessage({ id, error: { name, message } }, []);
  }
}

scope.onmessage = (event) => void answer(event.data);
