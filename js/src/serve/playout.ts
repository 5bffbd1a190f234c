/** Decoded audio of a call to the loudspeaker: a short queue that evens out when packets come. */

import { AudioOutput } from "../player/output.js";
import { endSound, startSound } from "./waiting.js";

const MODULE = "/queue.worklet.js";
const SPARE_S = 0.06; // of audio that waits beyond one packet before it begins to sound
const LONG_S = 0.25; // beyond what is wanted: then the queue has grown, and is cut

/** Takes samples as they are decoded. */
export class Playout {
  /** Samples of the stream that were heard or skipped. */
  #before = 0;
  #pushed = 0;
  #held: Float32Array[] = [];
  #heldSamples = 0;
  #waiting = true;

  private constructor(
    readonly context: AudioContext,
    readonly output: AudioOutput,
    readonly channels: number,
    readonly packetS: number,
  ) {
    output.onStarved = () => {
      if (this.#heldSamples === 0 && this.queuedS <= 0) this.#waiting = true;
    };
  }

  /**
   * Open the loudspeaker for a stream of a rate, in packets of so many seconds.
   *
   * @throws Error if the browser gives none.
   */
  static async create(rate: number, channels: number, packetS: number): Promise<Playout> {
    const context = new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
    try {
      await startSound(context);
      return new Playout(context, await AudioOutput.create(context, channels, MODULE), channels, packetS);
    } catch (error) {
      endSound(context);
      throw error;
    }
  }

  /** Audio that waits to be heard, in seconds. */
  get queuedS(): number {
    return (this.#pushed - this.output.position) / this.context.sampleRate;
  }

  /** The sample of the stream that sounds next. */
  get position(): number {
    return this.#before + this.output.position;
  }

  /** Begin with another stream. */
  restart(): void {
    this.output.flush(0);
    [this.#before, this.#pushed, this.#held, this.#heldSamples, this.#waiting] = [0, 0, [], 0, true];
  }

  /** The next samples of the stream, (C * T,). */
  push(samples: Float32Array): void {
    const length = samples.length / this.channels;
    if (length === 0) return;
    const wantedS = this.packetS + SPARE_S;
    if (this.queuedS > wantedS + LONG_S) {
      this.#before += length; // skipped: so that the delay does not grow for ever
      return;
    }
    this.#held.push(samples);
    this.#heldSamples += length;
    if (this.#waiting && this.#heldSamples < wantedS * this.context.sampleRate) return;
    this.#waiting = false;
    for (const piece of this.#held) this.output.push(piece, this.channels);
    this.#pushed += this.#heldSamples;
    [this.#held, this.#heldSamples] = [[], 0];
  }

  /** Close the loudspeaker. */
  close(): void {
    endSound(this.context);
  }
}
