/** Recordings of the microphone, as WAV files. */

import { Capture } from "./capture.js";
import { writeWav } from "./wav.js";

const PIECE_SAMPLES = 4096;

/** Records until it is stopped. */
export class Recorder {
  #capture: Capture | null = null;
  #pieces: Float32Array<ArrayBuffer>[] = [];

  /** Whether it records. */
  get open(): boolean {
    return this.#capture !== null;
  }

  /**
   * Begin.
   *
   * @param onTime - called with the seconds recorded so far.
   * @throws Error if there is no microphone.
   */
  async start(onTime: (seconds: number) => void): Promise<void> {
    this.#pieces = [];
    const onPiece = (piece: Float32Array<ArrayBuffer>): void => {
      this.#pieces.push(piece);
      const rate = this.#capture?.context.sampleRate;
      if (rate !== undefined) onTime((this.#pieces.length * PIECE_SAMPLES) / rate);
    };
    this.#capture = await Capture.open({ samples: PIECE_SAMPLES, call: false, onPiece });
  }

  /**
   * Stop, and give the recording.
   *
   * @throws Error if nothing was recorded.
   */
  async stop(): Promise<Blob> {
    const capture = this.#capture;
    this.#capture = null;
    if (capture === null || this.#pieces.length === 0) throw new Error("nothing was recorded: record a little longer");
    const rate = capture.context.sampleRate;
    await capture.close();
    return writeWav(this.#pieces, rate);
  }
}
