/** The code language model joined to the range coder: packets of codes to bytes and back. */

import { ModelMismatchError } from "../errors.js";
import type { Codes } from "../wire/codes.js";
import type { PacketLM } from "../wire/payload.js";
import { Kernel, type LMSizes } from "./kernel.js";
import { readSafetensors } from "./safetensors.js";

/** Version of the rule by which `lm.wasm` makes frequency tables. */
export const TABLE_RULE = 1;

const DECODE_STREAMS = 4; // more share the weights, and read pasts of their own that no cache holds

/** Codes packets with a language model's tables. Packets know nothing of each other. */
export class LanguageModel implements PacketLM {
  readonly tableRule = TABLE_RULE;
  readonly #kernel: Kernel;
  readonly #sizes: LMSizes;

  private constructor(
    kernel: Kernel,
    sizes: LMSizes,
    readonly fingerprint: string,
  ) {
    this.#kernel = kernel;
    this.#sizes = sizes;
  }

  /**
   * Load a language model.
   *
   * @param sizes - of its network.
   * @param fingerprint - of its weights, 64 hexadecimal digits.
   * @param file - the bytes of its `lm.safetensors`.
   * @throws CheckpointError if the file is not valid, or does not fit the sizes.
   */
  static async load(sizes: LMSizes, fingerprint: string, file: Uint8Array): Promise<LanguageModel> {
    return new LanguageModel(await Kernel.load(sizes, readSafetensors(file)), sizes, fingerprint);
  }

  /**
   * Code packets.
   *
   * @throws ModelMismatchError for more codebooks than the language model knows.
   * @throws RangeError for codes that it does not know.
   */
  encode(codes: readonly Codes[]): Uint8Array[] {
    this.#check(codes.map((piece) => piece.codebooks));
    const { symbols } = this.#sizes;
    if (codes.some((piece) => piece.data.some((code) => code < 0 || code >= symbols))) {
      throw new RangeError(`codes must be from 0 to ${symbols - 1}`);
    }
    return codes.map((piece) => (piece.frames ? this.#kernel.encode(piece.data, piece.codebooks) : new Uint8Array()));
  }

  /**
   * Decode packets of shapes [codebooks, frames]; any bytes decode to some codes.
   *
   * @throws ModelMismatchError for more codebooks than the language model knows.
   */
  decode(payloads: readonly Uint8Array[], shapes: readonly (readonly [number, number])[]): Codes[] {
    this.#check(shapes.map(([codebooks]) => codebooks));
    const found: Codes[] = shapes.map(([codebooks, frames]) => ({ codebooks, frames, data: new Int32Array() }));
    const order = shapes.map((_, i) => i).sort((a, b) => shapes[b][0] - shapes[a][0] || shapes[b][1] - shapes[a][1]);
    while (order.length) {
      const codebooks = shapes[order[0]][0];
      const alike = order.findIndex((i) => shapes[i][0] !== codebooks);
      const batch = order.splice(0, Math.min(DECODE_STREAMS, alike < 0 ? order.length : alike));
      const lengths = batch.map((i) => shapes[i][1]);
      const decoded = this.#kernel.decode(
        batch.map((i) => payloads[i]),
        codebooks,
        lengths,
      );
      batch.forEach((i, row) => (found[i] = { codebooks, frames: shapes[i][1], data: decoded[row] }));
    }
    return found;
  }

  #check(codebooks: number[]): void {
    const most = Math.max(0, ...codebooks);
    if (most > this.#sizes.codebooks) {
      throw new ModelMismatchError(`packets have ${most} codebooks, the language model knows ${this.#sizes.codebooks}`);
    }
  }
}
