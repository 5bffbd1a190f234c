/** Figures of a call, from what its parts report. */

const RATE_MS = 3000; // time over which bitrates are taken
const SMOOTH = 0.1; // share that a new value has in a mean

/** A mean that follows its values slowly. */
class Mean {
  value: number | null = null;

  add(value: number): void {
    this.value = this.value === null ? value : this.value + SMOOTH * (value - this.value);
  }
}

/** Bytes over the last seconds. */
class Rate {
  readonly #parts: [number, number][] = [];
  readonly #begin = performance.now();

  add(bytes: number): void {
    this.#parts.push([performance.now(), bytes]);
    this.#forget();
  }

  /** In kbps. */
  get kbps(): number {
    this.#forget();
    const bytes = this.#parts.reduce((sum, part) => sum + part[1], 0);
    return (8 * bytes) / Math.min(RATE_MS, performance.now() - this.#begin);
  }

  #forget(): void {
    while (this.#parts.length && this.#parts[0][0] < performance.now() - RATE_MS) this.#parts.shift();
  }
}

/** What a call is like now. */
export class CallStats {
  /** Packets that came, and those of them that were dropped here. */
  packets = 0;
  dropped = 0;
  /** Packets that were not coded, because this machine is too slow. */
  leftOut = 0;
  /** Packets that never came. */
  missing = 0;
  /** Time to encode and to decode, as a share of the audio's. */
  readonly encodeLoad = new Mean();
  readonly decodeLoad = new Mean();
  readonly encodeMs = new Mean();
  readonly decodeMs = new Mean();
  /** From microphone to loudspeaker, in ms. */
  readonly delayMs = new Mean();
  /** There and back through the server, in ms. */
  readonly roundTripMs = new Mean();
  readonly sent = new Rate();
  readonly got = new Rate();
  #offsetMs: number | null = null;
  #bestMs = Infinity;
  #next = 0;

  /** @param rate - of the audio, in Hz. */
  constructor(readonly rate: number) {}

  /** Another stream begins. */
  restart(): void {
    [this.packets, this.dropped, this.missing, this.#next] = [0, 0, 0, 0];
    this.delayMs.value = null;
  }

  /** The other side has answered: how far ahead its clock is, from the quickest answer so far. */
  answered(asked: number, answered: number, now: number): void {
    this.roundTripMs.add(now - asked);
    if (now - asked > this.#bestMs) return;
    this.#bestMs = now - asked;
    this.#offsetMs = answered - (asked + now) / 2;
  }

  encoded(ms: number, samples: number, bytes: number): void {
    this.encodeMs.add(ms);
    this.encodeLoad.add((ms * this.rate) / (1000 * samples));
    this.sent.add(bytes);
  }

  received(number: number, bytes: number, dropped: boolean): void {
    this.packets += 1;
    this.missing += Math.max(0, number - this.#next);
    this.#next = number + 1;
    this.got.add(bytes);
    if (dropped) this.dropped += 1;
  }

  decoded(ms: number, samples: number): void {
    this.decodeMs.add(ms);
    if (samples) this.decodeLoad.add((ms * this.rate) / (1000 * samples));
  }

  /** A sample of the stream is heard at a time by this page's clock; `origin` is when its sample 0 was captured. */
  heard(origin: number, position: number, timeMs: number): void {
    if (this.#offsetMs === null || position === 0) return;
    this.delayMs.add(timeMs + this.#offsetMs - (origin + (1000 * position) / this.rate));
  }

  /** Share of packets that are lost, dropped ones included. */
  get lossShare(): number {
    const all = this.packets + this.missing;
    return all ? (this.dropped + this.missing) / all : 0;
  }
}
