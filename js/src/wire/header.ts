/** The header of an `.ecdc` stream, version 1. `docs/bitstream.md` is the norm, this is its reader and writer. */

import { BitstreamError, CorruptError, ModelMismatchError, TruncatedError, UnsupportedError } from "../errors.js";
import { concatBytes, crc32, uint32At, uint32Bytes } from "./bytes.js";
import { hex, shown } from "./text.js";
import * as varint from "./varint.js";

export const MAGIC = Uint8Array.of(0x45, 0x43, 0x44, 0x43);
export const VERSION = 1;
export const FINGERPRINT_DIGITS = 16;
export const MAX_HEADER_BYTES = 6 + 255 + 4;
export const MAX_PACKET_FRAMES = 4096;
export const MAX_NAME_BYTES = 64;

const CRC_BYTES = 4;
const FLAG_SCALED = 1;
const CRITICAL_FLAGS = 0x7f;
const UNKNOWN = "0".repeat(FINGERPRINT_DIGITS);
const RANGES: [keyof HeaderFields, number, number][] = [
  ["samplingRate", 1, 1 << 20],
  ["channels", 1, 16],
  ["hop", 1, 1 << 16],
  ["codebooks", 1, 32],
  ["codeBits", 1, 16],
  ["maxPacketFrames", 1, MAX_PACKET_FRAMES],
  ["segmentLength", 0, 1 << 24],
  ["segmentStride", 0, 1 << 24],
  ["tableRule", 0, 255],
];

/** What a stream says of itself before its first packet. */
export interface HeaderFields {
  /** In Hz. */
  readonly samplingRate: number;
  /** Of the audio. */
  readonly channels: number;
  /** Samples per frame. */
  readonly hop: number;
  /** The most codebooks of any packet, 1 to 32. */
  readonly codebooks: number;
  /** Width of a code. */
  readonly codeBits: number;
  /** The most frames of any packet. */
  readonly maxPacketFrames: number;
  /** Samples of a segment of a chunked model; 0 for a model without segments. */
  readonly segmentLength: number;
  /** Samples between the starts of segments; 0 without segments. */
  readonly segmentStride: number;
  /** Whether each packet carries the scale of its audio. */
  readonly scaled: boolean;
  /** Samples per channel, if known beforehand. */
  readonly numSamples: number | null;
  /** Name of the model, for people; may be empty. */
  readonly model: string;
  /** First 16 hexadecimal digits of the model's fingerprint; all zeros if unknown. */
  readonly fingerprint: string;
  /** Version of the rule that makes the frequency tables; 0 where no packet needs them. */
  readonly tableRule: number;
  /** As `fingerprint`, of the language model; zeros where `tableRule` is 0. */
  readonly lmFingerprint: string;
}

/** Python's name of a field, for messages. */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/**
 * A header, checked.
 *
 * @throws RangeError naming a field that is out of its range.
 */
export class Header implements HeaderFields {
  declare readonly samplingRate: number;
  declare readonly channels: number;
  declare readonly hop: number;
  declare readonly codebooks: number;
  declare readonly codeBits: number;
  declare readonly maxPacketFrames: number;
  declare readonly segmentLength: number;
  declare readonly segmentStride: number;
  declare readonly scaled: boolean;
  declare readonly numSamples: number | null;
  declare readonly model: string;
  declare readonly fingerprint: string;
  declare readonly tableRule: number;
  declare readonly lmFingerprint: string;

  constructor(fields: Partial<HeaderFields>) {
    const zeros = { segmentLength: 0, segmentStride: 0, scaled: false, numSamples: null, model: "", tableRule: 0 };
    Object.assign(this, { ...zeros, fingerprint: UNKNOWN, lmFingerprint: UNKNOWN, ...fields });
    for (const [name, low, high] of RANGES) {
      const value = this[name] as number;
      require(low <= value && value <= high, name, value, `from ${low} to ${high}`);
    }
    for (const name of ["fingerprint", "lmFingerprint"] as const) {
      require(/^[0-9a-f]{16}$/.test(this[name]), name, this[name], `${FINGERPRINT_DIGITS} hexadecimal digits`);
    }
    const named = this.tableRule > 0 || this.lmFingerprint === UNKNOWN;
    require(named, "lmFingerprint", this.lmFingerprint, "zeros where there is no table_rule");
    const nameBytes = new TextEncoder().encode(this.model).length;
    require(nameBytes <= MAX_NAME_BYTES, "model", this.model, `up to ${MAX_NAME_BYTES} bytes`);
    this.#checkSegments();
  }

  #checkSegments(): void {
    const { segmentLength: length, segmentStride: stride } = this;
    if (length === 0) {
      require(stride === 0, "segmentStride", stride, "0 without segments");
      return;
    }
    require(1 <= stride && stride <= length, "segmentStride", stride, `from 1 to segment_length (${length})`);
    const frames = Math.ceil(length / this.hop);
    const most = this.maxPacketFrames;
    require(frames <= most, "maxPacketFrames", most, `at least the ${frames} of a segment`);
  }

  /** Samples per tick, the unit of positions: the hop, or its common divisor with the segments' stride. */
  get tick(): number {
    let [a, b] = [this.hop, this.segmentStride];
    while (b) [a, b] = [b, a % b];
    return a;
  }

  /** Ticks per frame; 1 without segments. */
  get frameTicks(): number {
    return this.hop / this.tick;
  }

  /** Ticks from the start of a segment to that of the next; 0 without segments. */
  get strideTicks(): number {
    return this.segmentStride / this.tick;
  }

  /** Frames per second, rounded up, in Hz. */
  get frameRate(): number {
    return Math.ceil(this.samplingRate / this.hop);
  }

  /** Bytes of that many codes without entropy coding. */
  plainBytes(frames: number, codebooks: number): number {
    return Math.ceil((frames * codebooks * this.codeBits) / 8);
  }

  /** Whether another header says the same. */
  equals(other: Header): boolean {
    const [mine, theirs] = [this as HeaderFields, other as HeaderFields];
    return (Object.keys(mine) as (keyof HeaderFields)[]).every((key) => mine[key] === theirs[key]);
  }

  /**
   * Make sure that a model is the one that made the codes; a header that does not know lets all pass.
   *
   * @param fingerprints - of the model, and of others with the same codes.
   * @throws ModelMismatchError if all begin otherwise.
   */
  checkModel(fingerprints: readonly string[]): void {
    checkFingerprint("model", this.model ? ` ${shown(this.model)}` : "", this.fingerprint, fingerprints);
  }

  /**
   * Make sure that a language model is the one that coded the packets.
   *
   * @throws ModelMismatchError if it is another, or follows another rule.
   */
  checkLm(fingerprint: string, tableRule: number): void {
    checkFingerprint("language model", "", this.lmFingerprint, [fingerprint]);
    if (tableRule !== this.tableRule) {
      throw new ModelMismatchError(
        `the stream's tables follow rule ${this.tableRule}, those of the language model in use ${tableRule}`,
      );
    }
  }
}

/** The header's bytes, about 50. */
export function writeHeader(header: Header): Uint8Array {
  const name = new TextEncoder().encode(header.model);
  const numbers = varint.encode(
    header.scaled ? FLAG_SCALED : 0,
    header.samplingRate,
    header.channels,
    header.hop,
    header.codebooks,
    header.codeBits,
    header.maxPacketFrames,
    header.segmentLength,
    header.segmentStride,
    header.numSamples === null ? 0 : header.numSamples + 1,
    header.tableRule,
  );
  const lm = header.tableRule ? bytesOf(header.lmFingerprint) : [];
  const body = [...numbers, ...bytesOf(header.fingerprint), ...lm, ...varint.encode(name.length), ...name];
  const front = Uint8Array.of(...MAGIC, VERSION, body.length, ...body);
  return concatBytes([front, uint32Bytes(crc32(front))]);
}

/**
 * Read the header at the start of a buffer.
 *
 * @returns the header, and its size in bytes.
 * @throws TruncatedError if the buffer ends within the header.
 * @throws CorruptError if it is not a header, or a damaged or a contradictory one.
 * @throws UnsupportedError for another version, or a flag that this reader would have to know.
 */
export function parseHeader(buffer: Uint8Array): [Header, number] {
  const front = buffer.subarray(0, MAX_HEADER_BYTES);
  if (front.subarray(0, 4).some((byte, i) => byte !== MAGIC[i])) {
    throw new CorruptError("this is not an .ecdc stream: it does not begin with ECDC");
  }
  if (front.length > 4 && front[4] !== VERSION) {
    throw new UnsupportedError(`this reader knows version ${VERSION} of .ecdc, the stream has version ${front[4]}`);
  }
  const end = front.length > 5 ? 6 + front[5] : MAX_HEADER_BYTES;
  if (front.length < end + CRC_BYTES) throw new TruncatedError("the stream ends within its header");
  if (crc32(front, 0, end) !== uint32At(front, end)) {
    throw new CorruptError("the header is damaged: its checksum is wrong");
  }
  try {
    return [parseBody(front.subarray(6, end)), end + CRC_BYTES];
  } catch (error) {
    if (error instanceof UnsupportedError) throw error;
    if (error instanceof RangeError || error instanceof BitstreamError) {
      throw new CorruptError(`the header contradicts itself: ${error.message}`);
    }
    throw error;
  }
}

/**
 * Read a header of which one bit is wrong, by trying each; `null` if that does not help.
 *
 * Two headers of this size differ in 5 bits or more, so one with two or three wrong bits is not taken for another.
 */
export function repairHeader(buffer: Uint8Array): [Header, number] | null {
  const front = buffer.slice(0, MAX_HEADER_BYTES);
  for (let bit = 0; bit < 8 * front.length; bit++) {
    front[bit >> 3] ^= 1 << (bit & 7);
    try {
      if (hasChecksum(front)) return parseHeader(front);
    } catch (error) {
      if (!(error instanceof BitstreamError)) throw error;
    }
    front[bit >> 3] ^= 1 << (bit & 7);
  }
  return null;
}

/** Whether a right checksum stands where a header would have it: without it, `parseHeader` need not be asked. */
function hasChecksum(front: Uint8Array): boolean {
  const end = 6 + front[5];
  return front.length >= end + CRC_BYTES && crc32(front, 0, end) === uint32At(front, end);
}

function parseBody(body: Uint8Array): Header {
  let position = 0;
  const numbers: number[] = [];
  for (let i = 0; i < 11; i++) {
    const [number, after] = varint.decode(body, position);
    numbers.push(number);
    position = after;
  }
  const [flags, samplingRate, channels, hop, codebooks, codeBits, maxPacketFrames] = numbers;
  const [segmentLength, segmentStride, length, tableRule] = numbers.slice(7);
  // Only the low seven bits are critical, and a large number has no low 32 bits in JavaScript's integers.
  if ((flags % (CRITICAL_FLAGS + 1)) & ~FLAG_SCALED) {
    throw new UnsupportedError(`the header has flags 0x${flags.toString(16)}, which this reader does not know`);
  }
  const take = (size: number): Uint8Array => {
    if (size > body.length - position) throw new CorruptError("it is too short for its fields");
    position += size;
    return body.subarray(position - size, position);
  };
  const fingerprint = hex(take(FINGERPRINT_DIGITS / 2));
  const lmFingerprint = tableRule ? hex(take(FINGERPRINT_DIGITS / 2)) : UNKNOWN;
  const [size, after] = varint.decode(body, position);
  position = after;
  return new Header({
    ...{ samplingRate, channels, hop, codebooks, codeBits, maxPacketFrames, segmentLength, segmentStride },
    ...{ fingerprint, tableRule, lmFingerprint, model: text(take(size)) },
    scaled: flags % 2 === 1,
    numSamples: length ? length - 1 : null,
  });
}

function text(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CorruptError("its model name is not valid UTF-8");
  }
}

function bytesOf(digits: string): number[] {
  return (digits.match(/../g) ?? []).map((pair) => parseInt(pair, 16));
}

function checkFingerprint(kind: string, name: string, wanted: string, found: readonly string[]): void {
  if (wanted !== UNKNOWN && !found.some((one) => one.startsWith(wanted))) {
    throw new ModelMismatchError(
      `the stream was written with a ${kind}${name} whose fingerprint begins with ${wanted}, ` +
        `that of the one in use with ${found[0].slice(0, FINGERPRINT_DIGITS)}`,
    );
  }
}

function require(condition: boolean, name: string, value: unknown, allowed: string): void {
  if (!condition) throw new RangeError(`${snake(name)} must be ${allowed}, got ${shown(value)}`);
}
