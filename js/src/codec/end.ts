/** Cutting audio to the length that the stream's end tells. */

import { columns, joined, type Audio } from "../engine/planar.js";

/** What the last frame makes beyond the recording's length is dropped. */
export class End {
  #total: number | null;
  #given: number;
  readonly #wanted: number;
  readonly #surplus: number; // the end may count as few as one sample of the last frame
  #held: Audio | null = null;

  /**
   * @param hop - samples of a frame.
   * @param total - length of the recording, if it is known from the start.
   * @param given - where the audio begins.
   * @param wanted - the first sample that is wanted.
   */
  constructor(hop: number, total: number | null, given: number, wanted: number) {
    [this.#total, this.#given, this.#wanted, this.#surplus] = [total, given, wanted, hop - 1];
  }

  /** The length is now certain. */
  known(total: number): void {
    this.#total = total;
  }

  /** The next samples (C, T), to those that are certain. */
  trim(piece: Audio): Audio {
    const audio = this.#held === null ? piece : joined([this.#held, piece]);
    const certain = this.#total === null ? Math.max(0, audio.length - this.#surplus) : audio.length;
    this.#held = columns(audio, certain, audio.length);
    return this.#cut(columns(audio, 0, certain));
  }

  /** The last samples, all that there are where no end has told a length. */
  rest(piece: Audio): Audio {
    return this.#cut(this.#held === null ? piece : joined([this.#held, piece]));
  }

  #cut(audio: Audio): Audio {
    const stop = this.#total === null ? audio.length : Math.max(0, this.#total - this.#given);
    const begin = Math.max(0, this.#wanted - this.#given);
    this.#given += Math.min(audio.length, stop);
    const last = Math.min(audio.length, stop);
    return columns(audio, Math.min(begin, last), last);
  }
}
