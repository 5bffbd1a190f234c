/** Finding a position without reading what lies before: the index, and hops from packet to packet. */

import { BitstreamError } from "../errors.js";
import { uint32At } from "./bytes.js";
import { MAX_HEADER_BYTES, parseHeader, repairHeader, type Header } from "./header.js";
import { MAX_END_BYTES, MAX_HEAD_BYTES, MAX_INDEX_ENTRIES, parseBody, parseHead, SYNC, type End } from "./packets.js";

const FIRST_SPACING = 8; // a new index has every eighth packet; the packets between are found in hops
const TRAILER_BYTES = 4;

/** Collects an index of at most `MAX_INDEX_ENTRIES`; when it is full, every second entry goes. */
export class IndexBuilder {
  #entries: [number, number][] = [];
  #spacing = FIRST_SPACING;
  #count = 0;

  /** Note the next packet: its offset in bytes, and its position in ticks. */
  add(offset: number, start: number): void {
    if (this.#count % this.#spacing === 0 && this.#count) {
      this.#entries.push([offset, start]);
      if (this.#entries.length > MAX_INDEX_ENTRIES) {
        this.#entries = this.#entries.filter((_, i) => i % 2 === 1);
        this.#spacing *= 2;
      }
    }
    this.#count += 1;
  }

  /** What an `End` takes. The first packet is not among them: it stands after the header. */
  get entries(): readonly (readonly [number, number])[] {
    return this.#entries;
  }
}

/** The end of a file with its index, found from the back; `null` if it is missing or damaged. */
export function readEnd(file: Uint8Array, header: Header): End | null {
  const size = file.length;
  if (size < TRAILER_BYTES) return null;
  const endSize = uint32At(file, size - TRAILER_BYTES);
  if (!(TRAILER_BYTES < endSize && endSize <= Math.min(size - TRAILER_BYTES, MAX_HEAD_BYTES + MAX_END_BYTES + 4))) {
    return null;
  }
  const found = file.subarray(size - TRAILER_BYTES - endSize, size - TRAILER_BYTES);
  try {
    const head = parseHead(found, header);
    if (head.size !== endSize) return null;
    const end = parseBody(found, header, head);
    if (end.type !== "end") return null;
    const last = end.entries.at(-1);
    return last !== undefined && last[0] >= size ? null : end;
  } catch (error) {
    if (error instanceof BitstreamError) return null;
    throw error;
  }
}

/** Where a packet begins: its offset in the file, and its position in ticks. */
export interface Place {
  readonly header: Header;
  readonly offset: number;
  readonly start: number;
}

/**
 * Find the packet that holds a sample, or the last one before it that can be found.
 *
 * Reads the header, the index, and the heads of a few packets. Without an index it hops over all packets from the first.
 * Where a hop meets damage it stays before it: a tolerant reader goes on from there.
 *
 * @param file - of any quality.
 * @param sample - wanted, in samples per channel from the start of the stream.
 * @throws BitstreamError if the file does not begin with a header, or one of which a single bit is wrong.
 */
export function seek(file: Uint8Array, sample: number): Place {
  const [header, headerSize] = readHeader(file);
  let offset = headerSize;
  const tick = Math.floor(sample / header.tick);
  const end = readEnd(file, header);
  let start = startAt(file, header, offset);
  // An index is as little to be trusted as all else: an entry counts if its packet stands there.
  const entry = end?.entries.filter((one) => one[1] <= tick).at(-1);
  if (entry !== undefined && startAt(file, header, entry[0]) === entry[1]) [offset, start] = entry;
  if (start !== null) [offset, start] = hop(file, header, offset, start, tick);
  return { header, offset, start: start ?? 0 };
}

/**
 * The header of a file; one of which a single bit is wrong is repaired.
 *
 * @returns the header, and its size in bytes.
 */
export function readHeader(file: Uint8Array): [Header, number] {
  const front = file.subarray(0, MAX_HEADER_BYTES);
  try {
    return parseHeader(front);
  } catch (error) {
    if (!(error instanceof BitstreamError)) throw error;
    const repaired = repairHeader(front);
    if (repaired === null) throw error;
    return repaired;
  }
}

/** From a good head on to the last one at or before a tick. */
function hop(file: Uint8Array, header: Header, offset: number, start: number, tick: number): [number, number] {
  for (;;) {
    const following = offset + parseHead(window(file, offset), header).size;
    const next = startAt(file, header, following);
    if (next === null || !(start < next && next <= tick)) return [offset, start];
    [offset, start] = [following, next];
  }
}

/** Position of the packet at an offset; `null` if none begins there, or the end does. */
export function startAt(file: Uint8Array, header: Header, offset: number): number | null {
  const front = window(file, offset);
  if (front.length < SYNC.length || front[0] !== SYNC[0] || front[1] !== SYNC[1]) return null;
  try {
    const head = parseHead(front, header);
    return head.frames ? head.start : null;
  } catch (error) {
    if (error instanceof BitstreamError) return null;
    throw error;
  }
}

function window(file: Uint8Array, offset: number): Uint8Array {
  return file.subarray(Math.min(offset, file.length), Math.min(offset + MAX_HEAD_BYTES, file.length));
}
