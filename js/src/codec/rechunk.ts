/** Pieces of any length in, blocks of one length out: then a network gives the same bits however the input was cut. */

import { columns, joined, type Planar } from "../engine/planar.js";

/** Cuts a stream of (X, T) numbers into blocks of a fixed length. */
export class Rechunker<P extends Planar> {
  #parts: P[] = [];
  #held = 0;

  /**
   * @param size - length of a block.
   * @param stride - from the start of a block to that of the next, at most `size`.
   */
  constructor(
    readonly size: number,
    readonly stride = size,
  ) {}

  /** Take (X, T) with T >= 0 and give the blocks (X, size) that are complete. */
  push(piece: P): P[] {
    this.#parts.push(piece);
    this.#held += piece.length;
    if (this.#held < this.size) return [];
    const whole = joined(this.#parts);
    const count = Math.floor((this.#held - this.size) / this.stride) + 1;
    const blocks = Array.from({ length: count }, (_, i) =>
      columns(whole, i * this.stride, i * this.stride + this.size),
    );
    this.#parts = [columns(whole, count * this.stride, whole.length)];
    this.#held = this.#parts[0].length;
    return blocks;
  }

  /** What no block has begun with yet, shorter than a block; `null` if nothing was ever pushed. */
  rest(): P | null {
    return this.#parts.length ? joined(this.#parts) : null;
  }
}
