/** Reading a stream as its bytes come, in pieces of any size, damaged or whole. */

import { BitstreamError, CorruptError, TruncatedError, UnsupportedError } from "../errors.js";
import { ByteQueue, uint32Bytes } from "./bytes.js";
import { MAGIC, MAX_HEADER_BYTES, parseHeader, repairHeader, VERSION, type Header } from "./header.js";
import { parseBody, parseHead, SYNC, type End, type Packet } from "./packets.js";
import { Timeline, type Lost } from "./timeline.js";

/** Places of damage that are remembered; more are only counted. */
export const MAX_DAMAGES = 1000;

const HEADER_FRONT = Uint8Array.of(...MAGIC, VERSION);
const FREE_EFFORT_BYTES = 1 << 24;
const EFFORT_PER_BYTE = 256;

/** A place where the stream is not good. */
export interface Damage {
  /** Of its first byte in the stream. */
  readonly offset: number;
  /** Bytes that were skipped; 0 where bytes are missing, or could be repaired. */
  readonly size: number;
  /** What was wrong. */
  readonly reason: string;
}

/** What a reader gives, in order. */
export type Event = Packet | Lost | End;

/** How a reader begins. */
export interface ReaderOptions {
  /** Whether to go on after damage. */
  tolerant?: boolean;
  /** Of the stream, where the bytes begin at a packet (after seeking); else it is read. */
  header?: Header;
  /** Position of the first packet, in ticks; `null` to join a stream wherever it is. */
  first?: number | null;
  /** Of the first byte in the stream. */
  offset?: number;
}

/**
 * Takes bytes and gives packets in order, and what is missing between them.
 *
 * A strict reader gives what comes before the first fault, and then throws it. A tolerant one goes on with the next good
 * packet and notes the fault in `damages`; it throws only where there is no header, or where the bytes are made to keep
 * it busy. What comes out does not depend on how the bytes are cut into pieces. A reader holds no more than one packet
 * and the piece that it was fed last. After an error it only throws it again.
 */
export class PacketReader {
  /** Of the stream, as soon as it is known. */
  header: Header | null;
  /** Of the stream, as soon as it is known. */
  end: End | null = null;
  /** The first `MAX_DAMAGES` places of damage, in order. */
  readonly damages: Damage[] = [];
  /** How many there were. */
  numDamages = 0;
  /** Bytes of headers, packets and end that were read. */
  goodBytes = 0;

  readonly #tolerant: boolean;
  readonly #timeline: Timeline;
  readonly #queue = new ByteQueue();
  readonly #begin: number;
  #buffer: Uint8Array = new Uint8Array();
  #offset: number;
  #bad: { since: number; error: BitstreamError } | null = null; // where the bytes held ceased to be good, and why
  #trailer: Uint8Array | null = null;
  #effort = 0;
  #hopeless = false;
  #error: BitstreamError | null = null;
  #closing = false;

  constructor(options: ReaderOptions = {}) {
    this.header = options.header ?? null;
    this.#tolerant = options.tolerant ?? false;
    this.#timeline = new Timeline(options.first === undefined ? 0 : options.first);
    this.#begin = this.#offset = options.offset ?? 0;
  }

  /**
   * Take the next bytes, any number of them, and return what has become complete.
   *
   * @throws BitstreamError see the class.
   */
  feed(data: Uint8Array): Event[] {
    this.#queue.push(data);
    return this.#drain();
  }

  /**
   * There are no more bytes; return what is left.
   *
   * @throws TruncatedError from a strict reader, if the end is missing.
   * @throws BitstreamError see the class.
   */
  close(): Event[] {
    this.#closing = true;
    const events = this.#drain();
    if (this.#error !== null) throw this.#error;
    if (this.header === null) {
      const first = this.#bad?.since === this.#begin ? this.#bad.error : null;
      if (first instanceof TruncatedError) throw first; // a header that was cut off
      throw new CorruptError(`there is no .ecdc header in these ${this.#offset - this.#begin} bytes`);
    }
    const complete = this.end !== null && this.#trailer === null;
    if (!complete && this.#bad === null) {
      this.#fault(this.#offset, 0, new TruncatedError("the stream ends before its end"));
    }
    this.#good(this.#offset);
    if (this.end === null) events.push(...this.#timeline.lostAtTheEnd(this.header, this.#offset - this.#begin));
    return events;
  }

  /** Read what is in the buffer; an error waits until what came before it has been given. */
  #drain(): Event[] {
    if (this.#error !== null) throw this.#error;
    const events: Event[] = [];
    this.#buffer = this.#queue.bytes;
    let position = 0;
    try {
      while (position < this.#buffer.length) {
        const next = this.#advance(position, events);
        if (next === null) break;
        position = next;
      }
    } catch (error) {
      if (!(error instanceof BitstreamError)) throw error;
      this.#error = error;
      if (events.length === 0) throw error;
    }
    this.#queue.drop(position);
    this.#offset += position;
    return events;
  }

  /** Read what stands at a position; where the next thing stands, or `null` if more bytes are needed. */
  #advance(position: number, events: Event[]): number | null {
    let size: number;
    let found: Packet | End | null;
    try {
      [size, found] = this.#parse(position);
    } catch (error) {
      if (!(error instanceof BitstreamError)) throw error;
      if (error instanceof TruncatedError && !this.#closing) return null;
      return this.#skip(position, error);
    }
    this.#good(this.#offset + position);
    if (found !== null) events.push(...this.#accept(found, position, size));
    this.goodBytes += size;
    return position + size;
  }

  /** What stands at a position: its size, and the packet if it is one. */
  #parse(position: number): [number, Packet | End | null] {
    if (this.end !== null) return [this.#parseTrailer(position), null];
    if (this.header === null) {
      const [header, size] = this.#parseFirstHeader(position);
      this.header = header;
      return [size, null];
    }
    if (this.#buffer[position] === MAGIC[0]) {
      const [repeated, size] = parseHeader(this.#buffer.subarray(position, position + MAX_HEADER_BYTES));
      if (!repeated.equals(this.header)) throw new CorruptError("another header begins within the stream");
      return [size, null];
    }
    const head = parseHead(this.#buffer, this.header, position);
    if (position + head.size > this.#buffer.length) throw new TruncatedError("the stream ends within a packet");
    try {
      return [head.size, parseBody(this.#buffer, this.header, head, position, this.#offset)];
    } catch (error) {
      this.#effort += head.size;
      const seen = this.#offset + position - this.#begin;
      this.#hopeless = this.#effort > FREE_EFFORT_BYTES + EFFORT_PER_BYTE * seen; // no mere damage does that
      throw error;
    }
  }

  #parseFirstHeader(position: number): [Header, number] {
    const front = this.#buffer.subarray(position, position + MAX_HEADER_BYTES);
    let repaired: [Header, number] | null;
    try {
      return parseHeader(front);
    } catch (error) {
      if (!this.#tolerant || this.#offset + position > 0) throw error;
      if (front.length < MAX_HEADER_BYTES && !this.#closing) {
        throw new TruncatedError("too few bytes to repair a header");
      }
      repaired = repairHeader(front);
      if (repaired === null) {
        this.#hopeless = error instanceof UnsupportedError;
        throw error;
      }
    }
    this.#note({ offset: 0, size: 0, reason: "one bit of the header was wrong, and could be repaired" });
    return repaired;
  }

  #parseTrailer(position: number): number {
    const wanted = this.#trailer;
    if (wanted === null) throw new CorruptError("bytes follow the end of the stream");
    const found = this.#buffer.subarray(position, position + wanted.length);
    if (found.length < wanted.length) throw new TruncatedError("the stream ends within the size of its end");
    this.#trailer = null;
    if (found.some((byte, i) => byte !== wanted[i])) throw new CorruptError("the size after the end is wrong");
    return found.length;
  }

  /** The packet, if its position makes sense, with what is missing before it. */
  #accept(found: Packet | End, position: number, size: number): Event[] {
    const header = this.header as Header;
    let lost: Lost | null;
    try {
      lost = this.#timeline.place(header, found, this.#offset + position + size - this.#begin);
    } catch (error) {
      this.#fault(this.#offset + position, size, error as BitstreamError);
      return [];
    }
    if (lost !== null && !this.#tolerant) {
      throw new CorruptError(`the stream lacks its ticks ${lost.start} to ${lost.stop - 1}`);
    }
    if (found.type === "end") {
      if (header.numSamples !== null && header.numSamples !== found.numSamples) {
        const error = new CorruptError("header and end disagree on the samples");
        this.#fault(this.#offset + position, 0, error);
      }
      this.end = found;
      this.#trailer = uint32Bytes(size);
    }
    return lost === null ? [found] : [lost, found];
  }

  // ---- faults ------------------------------------------------------------------------------

  /** Where something good may begin next. */
  #skip(position: number, error: BitstreamError): number {
    if (this.#hopeless || !this.#tolerant) throw error;
    this.#bad ??= { since: this.#offset + position, error };
    if (this.end !== null) return this.#buffer.length;
    const found = nextFront(this.#buffer, position + 1);
    return found ?? Math.max(position + 1, this.#buffer.length - HEADER_FRONT.length + 1);
  }

  #good(offset: number): void {
    if (this.#bad === null) return;
    const { since, error } = this.#bad;
    this.#bad = null;
    this.#note({ offset: since, size: offset - since, reason: error.message });
  }

  #fault(offset: number, size: number, error: BitstreamError): void {
    if (!this.#tolerant) throw error;
    this.#note({ offset, size, reason: error.message });
  }

  #note(damage: Damage): void {
    this.numDamages += 1;
    if (this.damages.length < MAX_DAMAGES) this.damages.push(damage);
  }
}

/** Where a packet or a header may begin, at or after a position. */
function nextFront(bytes: Uint8Array, from: number): number | null {
  for (let at = from; at < bytes.length - 1; at++) {
    const front = bytes[at] === SYNC[0] ? SYNC : bytes[at] === HEADER_FRONT[0] ? HEADER_FRONT : null;
    if (front !== null && at + front.length <= bytes.length && front.every((byte, i) => bytes[at + i] === byte)) {
      return at;
    }
  }
  return null;
}
