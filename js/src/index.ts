/**
 * Recodec in JavaScript: `.ecdc` files encoded, decoded, streamed and played, in pages and in Node.
 *
 * @packageDocumentation
 */

export { Codec, type DecodeOptions, type EncodeOptions, type LoadOptions, type PlayOptions } from "./codec/codec.js";
export type { DecodeStream, EncodeStream } from "./codec/streams.js";
export { loadInWorker, RemoteCodec, type WorkerOptions } from "./worker/client.js";
export type { Unpacked } from "./codec/unpack.js";
export type { Progress } from "./engine/assets.js";
export type { ModelConfig } from "./engine/manifest.js";
export * from "./errors.js";
export type { Codes } from "./wire/codes.js";
export { Header, type HeaderFields } from "./wire/header.js";
export { inspect, Inspection, type Span } from "./wire/inspection.js";
export type { Damage } from "./wire/reader.js";
export { info, type Info } from "./wire/info.js";
export type { Lost } from "./wire/timeline.js";
