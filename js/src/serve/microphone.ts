/** Recordings of the microphone, as WAV files. */

import { Capture } from "./capture.js";
import { HEADER_BYTES, writeWav } from "./wav.js";

const PIECE_SAMPLES = 4096;
const SAMPLE_BYTES = 4;

/** The most that a recording may have. */
export interface RecorderLimits {
  readonly seconds: number;
  /** Of the WAV file. */
  readonly bytes: number;
}

/** One recording: what it has so far, and its microphone, which is `null` while it is being opened. */
interface Take {
  readonly pieces: Float32Array<ArrayBuffer>[];
  readonly abort: AbortController;
  capture: Capture | null;
}

/** Records one recording after the other, with one microphone at a time. */
export class Recorder {
  /** Called with the seconds recorded so far. */
  onTime: (seconds: number) => void = () => undefined;
  /** Called when nothing more can be recorded: the limit is reached, or the microphone is gone. */
  onOver: (why: "full" | "gone", seconds: number) => void = () => undefined;
  readonly #limits: RecorderLimits;
  readonly #open: typeof Capture.open;
  #take: Take | null = null;

  /**
   * @param limits - of each recording.
   * @param open - opens the microphone.
   */
  constructor(limits: RecorderLimits, open: typeof Capture.open = (options) => Capture.open(options)) {
    [this.#limits, this.#open] = [limits, open];
  }

  /** What it does. */
  get state(): "idle" | "opening" | "recording" {
    if (this.#take === null) return "idle";
    return this.#take.capture === null ? "opening" : "recording";
  }

  /**
   * Begin, unless it has begun already.
   *
   * @returns whether it records now; not if `stop` came before the microphone was open.
   * @throws Error if there is no microphone.
   */
  async start(): Promise<boolean> {
    if (this.#take !== null) return false;
    const take: Take = { pieces: [], abort: new AbortController(), capture: null };
    this.#take = take;
    try {
      take.capture = await this.#open({
        samples: PIECE_SAMPLES,
        call: false,
        onPiece: (piece) => this.#heard(take, piece),
        onGone: () => this.#over(take, "gone"),
        signal: take.abort.signal,
      });
      return this.#take === take;
    } catch (error) {
      if (this.#take !== take) return false; // it was stopped, and nobody waits for it
      this.#take = null;
      throw error;
    }
  }

  /**
   * Stop, and give the recording. The microphone is off, even if it was only being opened.
   *
   * @returns `null` if nothing was recorded.
   */
  stop(): Blob | null {
    const take = this.#take;
    this.#take = null;
    take?.abort.abort();
    if (!take?.capture) return null;
    const rate = take.capture.context.sampleRate;
    take.capture.close();
    return take.pieces.length === 0 ? null : writeWav(take.pieces, rate);
  }

  #heard(take: Take, piece: Float32Array<ArrayBuffer>): void {
    if (take !== this.#take) return;
    take.pieces.push(piece);
    if (take.capture === null) return;
    const seconds = secondsOf(take, take.pieces.length);
    this.onTime(seconds);
    const more = take.pieces.length + 1;
    const bytes = HEADER_BYTES + more * PIECE_SAMPLES * SAMPLE_BYTES;
    if (secondsOf(take, more) >= this.#limits.seconds || bytes > this.#limits.bytes) this.#over(take, "full");
  }

  #over(take: Take, why: "full" | "gone"): void {
    if (take === this.#take && take.capture !== null) this.onOver(why, secondsOf(take, take.pieces.length));
  }
}

function secondsOf(take: Take, pieces: number): number {
  return (pieces * PIECE_SAMPLES) / (take.capture?.context.sampleRate ?? Infinity);
}
