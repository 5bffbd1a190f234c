/** What a page and its worker say to each other. */

import type { Codec, DecodeOptions, EncodeOptions, LoadOptions, PlayOptions } from "../codec/codec.js";
import type { Progress } from "../engine/assets.js";
import type { ModelConfig } from "../engine/manifest.js";
import type { Unpacked } from "../codec/unpack.js";
import type { Codes } from "../wire/codes.js";

/** What a page learns of a model that was loaded. */
export interface Loaded {
  readonly name: string;
  readonly fingerprint: string;
  readonly config: ModelConfig;
  readonly decoders: Codec["decoders"];
}

/** Calls by their names: arguments and result. `number`s that name a stream are those that `open...` gave. */
export interface Calls {
  load(url: string, options: Pick<LoadOptions, "runtime" | "cache">): Loaded;
  prepare(what: "encode" | "decode", options: EncodeOptions & DecodeOptions): void;
  encode(audio: Float32Array, options: EncodeOptions): Uint8Array;
  decode(file: Uint8Array, options: PlayOptions): Float32Array;
  unpack(file: Uint8Array): Unpacked;
  pack(codes: Codes, numSamples: number, options: EncodeOptions): Uint8Array;
  openEncoder(options: EncodeOptions): number;
  openDecoder(options: DecodeOptions): number;
  openFile(file: Uint8Array, options: PlayOptions): number;
  /** Samples or bytes in, bytes or samples out. */
  push(stream: number, data: Float32Array | Uint8Array): Float32Array | Uint8Array;
  finish(stream: number): Float32Array | Uint8Array;
  lostSamples(stream: number): number;
  /** The next piece of a file, or `null` after the last. */
  next(stream: number): Float32Array | null;
  close(stream: number): void;
}

/** A call. */
export interface Request {
  readonly id: number;
  readonly method: keyof Calls;
  readonly args: unknown[];
}

/** What comes back: a result, an error by its name, or progress, which has no `id`. */
export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly name: string; readonly message: string } }
  | { readonly progress: Progress };

/** Memory that a message hands over, so that it is not copied. */
export function transferable(value: unknown): ArrayBuffer[] {
  const isArray = value instanceof Float32Array || value instanceof Uint8Array;
  return isArray && value.byteLength === value.buffer.byteLength ? [value.buffer as ArrayBuffer] : [];
}
