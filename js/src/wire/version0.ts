/** Version 0 of `.ecdc`, Meta's format, without its language model: the head, and plain codes. */

import { CorruptError, ModelMismatchError, TruncatedError, UnsupportedError } from "../errors.js";
import * as bits from "./bits.js";
import { uint32At } from "./bytes.js";
import type { Codes } from "./codes.js";
import { MAGIC } from "./header.js";
import { shown, shownFloat } from "./text.js";

const HEAD_BYTES = 9;
const MAX_META_BYTES = 4096; // Meta's tool writes about 60
const SCALE_BYTES = 4;
const FRAMES_ALIGNED = 8; // that many frames fill whole bytes, whatever the width of a code

/** What the JSON object of a file says. */
export interface Metadata {
  readonly model: string;
  /** Length of the recording, at least 1. */
  readonly numSamples: number;
  /** Codes per frame, at least 1. */
  readonly codebooks: number;
  /** First 16 hexadecimal digits of the model's fingerprint; `null` in Meta's files. */
  readonly fingerprint: string | null;
  /** Whether codes are coded with Meta's language model. */
  readonly coded: boolean;
}

/** What a model says of the segments of a recording. */
export interface Geometry {
  readonly hop: number;
  readonly codebooks: number;
  readonly codeBits: number;
  readonly normalize: boolean;
  /** Samples; 0 for a model without segments. */
  readonly segmentLength: number;
  /** Samples; 0 for a model without segments. */
  readonly segmentStride: number;
}

/** Some frames of a segment. */
export interface Piece {
  readonly codes: Codes;
  /** Of the segment, on its first piece, if the model normalizes. */
  readonly scale: number | null;
}

/** Whether a file is one of version 0, by its first bytes. A damaged front is left to version 1, which can mend it. */
export function isVersion0(file: Uint8Array): boolean {
  return MAGIC.every((byte, i) => file[i] === byte) && file[MAGIC.length] === 0;
}

/**
 * Read the head and the JSON object of a file.
 *
 * @returns what it says, and where the codes begin.
 * @throws TruncatedError if the file ends before.
 * @throws UnsupportedError for another version.
 * @throws CorruptError if it is not such a file, or its JSON object is not what it should be.
 */
export function readMetadata(file: Uint8Array): [Metadata, number] {
  need(file, 0, HEAD_BYTES);
  if (MAGIC.some((byte, i) => file[i] !== byte)) {
    throw new CorruptError("this is not an .ecdc file: it does not begin with ECDC");
  }
  if (file[4] !== 0)
    throw new UnsupportedError(`this reader knows version 0 of .ecdc, the file has version ${file[4]}`);
  const size = uint32At(file, 5);
  if (size > MAX_META_BYTES) {
    throw new CorruptError(`the header claims ${size} bytes, more than the ${MAX_META_BYTES} it may have`);
  }
  need(file, HEAD_BYTES, size);
  let values: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(file.subarray(HEAD_BYTES, HEAD_BYTES + size));
    values = JSON.parse(text);
  } catch (error) {
    throw new CorruptError(`the header is not valid JSON: ${(error as Error).message}`);
  }
  return [parse(values), HEAD_BYTES + size];
}

function parse(values: unknown): Metadata {
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    throw new CorruptError("the header is not a JSON object");
  }
  const { m: model, fp: fingerprint = null, lm: coded } = values as Record<string, unknown>;
  if (typeof model !== "string" || !isUnicode(model)) {
    throw new CorruptError(`the header's model name is ${shown(model)}`);
  }
  if (fingerprint !== null && !(typeof fingerprint === "string" && /^[0-9a-f]{16}$/.test(fingerprint))) {
    throw new CorruptError(`the header's fingerprint is ${shown(fingerprint)}`);
  }
  if (typeof coded !== "boolean") throw new CorruptError(`the header's lm is ${shown(coded)}`);
  const counts = values as Record<string, unknown>;
  return { model, numSamples: count(counts, "al"), codebooks: count(counts, "nc"), fingerprint, coded };
}

/** Whether UTF-8 can hold a text: JSON may have half of a surrogate pair. */
function isUnicode(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

function count(values: Record<string, unknown>, key: string): number {
  const value = values[key];
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    const size = typeof value === "number" && !Number.isSafeInteger(value) && Number.isInteger(value);
    const found = size ? "of absurd size" : shown(value);
    throw new CorruptError(`the header's ${key} is ${found}, and must be a positive integer below 2^63`);
  }
  return value as number;
}

/**
 * Make sure that the model in use is the one that wrote the file: by its weights if the file tells them, else by name.
 *
 * @param fingerprints - of the model, and of others with the same codes.
 * @throws ModelMismatchError if it is another one.
 */
export function checkModel(metadata: Metadata, name: string, fingerprints: readonly string[]): void {
  const { fingerprint, model } = metadata;
  if (fingerprint === null) {
    if (model === name) return;
    throw new ModelMismatchError(`the file was written with model ${shown(model)}, not with ${shown(name)}`);
  }
  if (!fingerprints.some((one) => one.startsWith(fingerprint))) {
    throw new ModelMismatchError(
      `the file was written with model ${shown(model)} of fingerprint ${fingerprint}..., ` +
        `the model in use is ${shown(name)} of ${fingerprints[0].slice(0, 16)}...`,
    );
  }
}

/** Frames of one segment, counted from 0, of a recording of so many samples. */
function segmentFrames(geometry: Geometry, numSamples: number, segment: number): number {
  const { segmentLength: length, segmentStride: stride } = geometry;
  return Math.ceil((length ? Math.min(numSamples - segment * stride, length) : numSamples) / geometry.hop);
}

/** Bytes that follow the header of a file; fast for any number of samples that a header claims. */
function payloadBytes(geometry: Geometry, metadata: Metadata): number {
  const { segmentLength: length, segmentStride: stride } = geometry;
  const { numSamples } = metadata;
  const size = (segment: number): number => {
    const codes = segmentFrames(geometry, numSamples, segment) * metadata.codebooks;
    return bits.packedBytes(codes, geometry.codeBits) + (geometry.normalize ? SCALE_BYTES : 0);
  };
  const segments = stride ? Math.ceil(numSamples / stride) : 1;
  const full = length && stride ? Math.max(0, Math.floor((numSamples - length) / stride) + 1) : 0;
  let total = full ? full * size(0) : 0;
  for (let segment = full; segment < segments; segment++) total += size(segment);
  return total;
}

/** Geometries of models by the names that files have, where a file may be looked at without its model. */
const KNOWN: Readonly<Record<string, Geometry>> = {
  encodec_24khz: { hop: 320, codebooks: 32, codeBits: 10, normalize: false, segmentLength: 0, segmentStride: 0 },
  encodec_48khz: { hop: 320, codebooks: 16, codeBits: 10, normalize: true, segmentLength: 48000, segmentStride: 47520 },
  encodec_32khz: { hop: 640, codebooks: 4, codeBits: 11, normalize: false, segmentLength: 0, segmentStride: 0 },
  recodec_24khz: { hop: 320, codebooks: 16, codeBits: 10, normalize: false, segmentLength: 0, segmentStride: 0 },
};

/**
 * Compare the size of a file with what its header promises, if that can be done.
 *
 * @param file - the whole file.
 * @returns whether it could be done: not for unknown models, and not where a language model decides the size.
 * @throws TruncatedError or CorruptError if it is another one, or as `readMetadata`.
 */
export function isOfRightSize(file: Uint8Array): boolean {
  const [metadata, begin] = readMetadata(file);
  if (metadata.coded || !Object.hasOwn(KNOWN, metadata.model)) return false;
  checkSize(file.length - begin, payloadBytes(KNOWN[metadata.model], metadata));
  return true;
}

/**
 * Read the segments after the header, and make sure that nothing follows them.
 *
 * What is allocated is bounded by `maxFrames`, whatever the header claims.
 *
 * @param file - the whole file.
 * @param begin - where the codes begin.
 * @param maxFrames - the most frames of a piece, 8 or more.
 * @param tolerant - give what there is of a file that was cut off, or that bytes follow.
 * @throws TruncatedError if the file ends too early.
 * @throws CorruptError if it has more codebooks than the model or an impossible scale, or if bytes are left over.
 * @throws UnsupportedError if it is coded with Meta's language model.
 */
export function* readPieces(
  file: Uint8Array,
  begin: number,
  metadata: Metadata,
  geometry: Geometry,
  maxFrames: number,
  tolerant: boolean,
): Generator<Piece> {
  const { codebooks, numSamples, model } = metadata;
  if (codebooks > geometry.codebooks) {
    throw new CorruptError(`the header claims ${codebooks} codebooks, model ${shown(model)} has ${geometry.codebooks}`);
  }
  if (metadata.coded) {
    throw new UnsupportedError(
      "the file is coded with Meta's language model: it takes that (meta_lm) to read, best on the machine that wrote " +
        "it: elsewhere probabilities may round to others",
    );
  }
  if (!tolerant) checkSize(file.length - begin, payloadBytes(geometry, metadata));
  const segments = geometry.segmentStride ? Math.ceil(numSamples / geometry.segmentStride) : 1;
  const step = Math.floor(maxFrames / FRAMES_ALIGNED) * FRAMES_ALIGNED;
  let at = begin;
  try {
    for (let segment = 0; segment < segments; segment++) {
      let scale: number | null = null;
      if (geometry.normalize) {
        scale = readScale(file, at);
        at += SCALE_BYTES;
      }
      let frames = segmentFrames(geometry, numSamples, segment);
      while (frames) {
        const size = frames <= maxFrames ? frames : step;
        const bytes = bits.packedBytes(size * codebooks, geometry.codeBits);
        need(file, at, bytes);
        const data = bits.unpack(file.subarray(at, at + bytes), size * codebooks, geometry.codeBits);
        at += bytes;
        yield { codes: { codebooks, frames: size, data }, scale };
        scale = null;
        frames -= size;
      }
    }
  } catch (error) {
    if (tolerant && error instanceof TruncatedError) return;
    throw error;
  }
  if (at < file.length && !tolerant) throw new CorruptError("bytes are left over after the last segment");
}

function readScale(file: Uint8Array, at: number): number {
  need(file, at, SCALE_BYTES);
  const scale = new DataView(file.buffer, file.byteOffset + at).getFloat32(0);
  if (!(scale >= 0 && Number.isFinite(scale))) throw new CorruptError(`a segment's scale is ${shownFloat(scale)}`);
  return scale;
}

function checkSize(there: number, wanted: number): void {
  if (there < wanted) {
    throw new TruncatedError(`the header promises ${wanted} bytes of codes, ${there} are there`);
  }
  if (there > wanted) throw new CorruptError(`${there - wanted} bytes are left over after the last segment`);
}

function need(file: Uint8Array, at: number, size: number): void {
  const missing = at + size - file.length;
  if (missing > 0) throw new TruncatedError(`the file ends where ${missing} more bytes should be`);
}
