/** Packets of an `.ecdc` stream, version 1: the unit that decodes alone. `docs/bitstream.md` is the norm. */

import { CorruptError, TruncatedError } from "../errors.js";
import { concatBytes, crc32, uint32At, uint32Bytes } from "./bytes.js";
import type { Header } from "./header.js";
import { shownFloat } from "./text.js";
import * as varint from "./varint.js";

export const SYNC = Uint8Array.of(0xec, 0xd1);
export const PLAIN = 0;
export const CODED_SHORT = 1;
export const CODED = 2;
export const END = 3;
/** By kind: bytes of a checksum of the codes at the front of the payload. */
export const CHECK_BYTES = [0, 1, 2];
export const MAX_INDEX_ENTRIES = 1024;
export const MAX_HEAD_BYTES = 2 + 1 + 3 * varint.MAX_BYTES;
export const MAX_END_BYTES = (2 + 2 * MAX_INDEX_ENTRIES) * varint.MAX_BYTES;

const CRC_BYTES = 4;
const SCALE_BYTES = 4;
const RESTART_FLAG = 0x20;

/** Frames of codes that decode without any other packet. */
export interface Packet {
  readonly type: "packet";
  /** Where its audio begins, in ticks from the start of the stream. */
  readonly start: number;
  /** How many, 1 to the header's `maxPacketFrames`. */
  readonly frames: number;
  /** Codes per frame. */
  readonly codebooks: number;
  /** `PLAIN`, `CODED` or `CODED_SHORT`, of the payload. */
  readonly kind: number;
  /** The codes; `payload.ts` reads them. */
  readonly payload: Uint8Array;
  /** Of the audio, where the header is `scaled`, else `null`. */
  readonly scale: number | null;
  /** A new section begins: the decoder starts afresh. */
  readonly restart: boolean;
  /** Of its first byte in the stream that it was read from; not written. */
  readonly offset: number;
  /** Bytes of the whole packet in that stream. */
  readonly size: number;
}

/** What a stream says when it is complete. */
export interface End {
  readonly type: "end";
  /** Where the audio ends, in ticks: the end of the last packet. */
  readonly start: number;
  /** Samples per channel. */
  readonly numSamples: number;
  /** The index: of some packets, in order, [byte offset, start in ticks]. */
  readonly entries: readonly (readonly [number, number])[];
}

/** The front of a packet: all but its payload and its checksum. An end has 0 frames. */
export interface PacketHead {
  readonly kind: number;
  readonly restart: boolean;
  readonly codebooks: number;
  readonly start: number;
  readonly frames: number;
  /** Bytes of the head. */
  readonly payloadAt: number;
  /** Bytes of the whole packet. */
  readonly size: number;
}

type Placed = Pick<Packet, "start" | "frames">;

/** Where the audio of a packet ends, in ticks, if nothing follows or a new section does. */
export function endOf(header: Header, packet: Placed): number {
  return packet.start + packet.frames * header.frameTicks;
}

/** Where the next packet of the same section begins, in ticks: segments overlap. */
export function nextStart(header: Header, packet: Placed): number {
  return header.segmentLength ? packet.start + header.strideTicks : endOf(header, packet);
}

// ---- writing -------------------------------------------------------------------------------

/**
 * A packet's bytes.
 *
 * @throws RangeError if the scale is missing or too many.
 * @throws CorruptError if the packet does not fit the header, or its payload not its frames.
 */
export function writePacket(header: Header, packet: Omit<Packet, "offset" | "size" | "type">): Uint8Array {
  const { kind, codebooks, scale } = packet;
  const scaled = scale !== null && scale >= 0 && Number.isFinite(scale);
  if (!(kind in CHECK_BYTES) || codebooks < 1 || codebooks > 32 || scaled !== header.scaled) {
    throw new RangeError(`no packet of kind ${kind}, ${codebooks} codebooks and scale ${scale ?? "None"}`);
  }
  const front = scaled ? new Uint8Array(SCALE_BYTES) : new Uint8Array();
  if (scaled) new DataView(front.buffer).setFloat32(0, scale);
  const first = (kind << 6) | (packet.restart ? RESTART_FLAG : 0) | (codebooks - 1);
  const written = seal(first, packet.start, packet.frames, concatBytes([front, packet.payload]));
  parseHead(written, header);
  return written;
}

/**
 * The packet of an end, and the four bytes after it that let a reader find it from the back.
 *
 * @param end - with at most `MAX_INDEX_ENTRIES` entries, in ascending order.
 */
export function writeEnd(end: Omit<End, "type">): Uint8Array {
  const payload = varint.encode(end.numSamples, end.entries.length);
  let [offset, start] = [0, 0];
  for (const entry of end.entries) {
    payload.push(...varint.encode(entry[0] - offset, entry[1] - start));
    [offset, start] = entry;
  }
  const packet = seal(END << 6, end.start, 0, Uint8Array.from(payload));
  return concatBytes([packet, uint32Bytes(packet.length)]);
}

function seal(first: number, start: number, frames: number, payload: Uint8Array): Uint8Array {
  const head = Uint8Array.of(...SYNC, first, ...varint.encode(start, frames, payload.length));
  const packet = concatBytes([head, payload]);
  return concatBytes([packet, uint32Bytes(crc32(packet))]);
}

// ---- reading -------------------------------------------------------------------------------

/**
 * Read the front of the packet at a position, and check every number in it.
 *
 * @throws TruncatedError if the buffer ends within the head.
 * @throws CorruptError if there is no packet, or it contradicts the header.
 */
export function parseHead(buffer: Uint8Array, header: Header, position = 0): PacketHead {
  for (let i = 0; i < SYNC.length && position + i < buffer.length; i++) {
    check(buffer[position + i] === SYNC[i], "there is no packet where one should begin");
  }
  if (position + 3 > buffer.length) throw new TruncatedError("the stream ends within a packet's head");
  const first = buffer[position + 2];
  const [start, afterStart] = varint.decode(buffer, position + 3);
  const [frames, afterFrames] = varint.decode(buffer, afterStart);
  const [length, at] = varint.decode(buffer, afterFrames);
  const [kind, codebooks] = [first >> 6, (first & 0x1f) + 1];
  if (kind === END) {
    const allowed = frames === 0 && (first & 0x3f) === 0 && length <= MAX_END_BYTES;
    check(allowed, "an end has other numbers than it may");
  } else {
    const some = 1 <= frames && frames <= header.maxPacketFrames;
    check(some, "a packet has more frames than the header allows, or none");
    check(codebooks <= header.codebooks, "a packet has more codebooks than the header allows");
    const most = header.plainBytes(frames, codebooks) + (header.scaled ? SCALE_BYTES : 0);
    const fits = length <= most && (kind !== PLAIN || length === most);
    check(fits, "a packet's payload does not fit its frames");
    const known = kind === PLAIN || header.tableRule > 0;
    check(known, "a packet is coded with a language model, the header names none");
  }
  const restart = Boolean(first & RESTART_FLAG);
  return {
    kind,
    restart,
    codebooks,
    start,
    frames,
    payloadAt: at - position,
    size: at - position + length + CRC_BYTES,
  };
}

/**
 * Check and read the packet whose head stands at a position; the buffer holds it whole.
 *
 * @param buffer - as for `parseHead`, which gave `head`.
 * @param base - offset of the buffer's first byte in the stream.
 * @throws CorruptError if the packet is damaged, or contradicts itself.
 */
export function parseBody(buffer: Uint8Array, header: Header, head: PacketHead, position = 0, base = 0): Packet | End {
  const stop = position + head.size - CRC_BYTES;
  if (crc32(buffer, position, stop) !== uint32At(buffer, stop)) {
    throw new CorruptError("a packet is damaged: its checksum is wrong");
  }
  let payload = buffer.slice(position + head.payloadAt, stop);
  if (head.kind === END) return parseEnd(head, header, payload);
  let scale: number | null = null;
  if (header.scaled) {
    check(payload.length >= SCALE_BYTES, "a packet is too short for its scale");
    scale = new DataView(payload.buffer).getFloat32(0);
    check(scale >= 0 && Number.isFinite(scale), `a packet's scale is ${shownFloat(scale)}`);
    payload = payload.subarray(SCALE_BYTES);
  }
  const { start, frames, codebooks, kind, restart, size } = head;
  return { type: "packet", start, frames, codebooks, kind, payload, scale, restart, offset: base + position, size };
}

function parseEnd(head: PacketHead, header: Header, payload: Uint8Array): End {
  try {
    return readEnd(head, header, payload);
  } catch (error) {
    if (error instanceof TruncatedError) throw new CorruptError("the index is cut off");
    throw error;
  }
}

function readEnd(head: PacketHead, header: Header, payload: Uint8Array): End {
  const [numSamples, afterSamples] = varint.decode(payload, 0);
  const [count, afterCount] = varint.decode(payload, afterSamples);
  check(count <= MAX_INDEX_ENTRIES, `the index claims ${count} entries`);
  const entries: [number, number][] = [];
  let [offset, start, at] = [0, 0, afterCount];
  for (let i = 0; i < count; i++) {
    const [delta, afterDelta] = varint.decode(payload, at);
    const [advance, afterAdvance] = varint.decode(payload, afterDelta);
    check(delta > 0 && (advance > 0 || entries.length === 0), "the index does not ascend");
    [offset, start, at] = [offset + delta, start + advance, afterAdvance];
    entries.push([offset, start]);
  }
  check(start <= head.start, "the index points after the end");
  const made = head.start * header.tick;
  const right = made - header.hop < numSamples && numSamples <= made;
  check(right, "the end claims more samples than its frames make, or too few");
  return { type: "end", start: head.start, numSamples, entries };
}

function check(condition: boolean, message: string): void {
  if (!condition) throw new CorruptError(message);
}
