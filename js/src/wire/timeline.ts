/** Where packets belong in time: what comes next, what is missing, what comes again. */

import { CorruptError } from "../errors.js";
import type { Header } from "./header.js";
import { endOf, nextStart, type End, type Packet } from "./packets.js";

const FREE_GAP_S = 600;
const GAP_TICKS_PER_BYTE = 64;

/** Audio that is missing: from the tick `start` to below the tick `stop`. */
export interface Lost {
  readonly type: "lost";
  readonly start: number;
  readonly stop: number;
}

/**
 * The positions of the packets of one stream, in the order in which they come.
 *
 * What is missing is bounded by what is there: 10 minutes, and 64 ticks for each byte received. A few bytes that claim a
 * position years ahead would else make a player fill the years.
 */
export class Timeline {
  readonly #first: number | null;
  #last: Packet | null = null;
  #lostTicks = 0;

  /** @param first - position of the first packet, in ticks; `null` to begin with whatever comes first. */
  constructor(first: number | null) {
    this.#first = first;
  }

  /**
   * Note the next packet or the end; return what is missing before it.
   *
   * @throws CorruptError if it comes again or out of order, or lies too far ahead. It is not noted then.
   */
  place(header: Header, item: Packet | End, receivedBytes: number): Lost | null {
    const expected = this.#next(header, item) ?? item.start;
    let lost: Lost | null = null;
    if (item.start < expected) {
      throw new CorruptError(`a packet at tick ${item.start} comes after all up to tick ${expected} have come`);
    }
    if (item.start > expected) {
      lost = { type: "lost", start: this.#missingFrom(header, expected), stop: item.start };
      if (lost.stop - lost.start > this.#allowance(header, receivedBytes)) {
        throw new CorruptError(`a packet at tick ${item.start} is too far ahead of tick ${expected}`);
      }
      this.#lostTicks += lost.stop - lost.start;
    }
    if (item.type === "packet") this.#last = item;
    return lost;
  }

  /** What is missing where a stream ends before its end, as far as the header's length tells. */
  lostAtTheEnd(header: Header, receivedBytes: number): Lost[] {
    const reached = this.#last === null ? this.#first : endOf(header, this.#last);
    if (header.numSamples === null || reached === null) return [];
    const stop = Math.ceil(header.numSamples / header.tick);
    const start = this.#missingFrom(header, reached);
    if (stop <= reached || stop - start > this.#allowance(header, receivedBytes)) return [];
    return [{ type: "lost", start, stop }];
  }

  #next(header: Header, item: Packet | End): number | null {
    if (this.#last === null) return this.#first;
    if (item.type === "end" || item.restart) return endOf(header, this.#last);
    return nextStart(header, this.#last);
  }

  #missingFrom(header: Header, expected: number): number {
    return this.#last === null ? expected : Math.min(expected, nextStart(header, this.#last));
  }

  #allowance(header: Header, receivedBytes: number): number {
    const free = Math.floor((FREE_GAP_S * header.samplingRate) / header.tick);
    return free + GAP_TICKS_PER_BYTE * receivedBytes - this.#lostTicks;
  }
}
