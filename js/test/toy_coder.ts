/** The small coder of `tests/support/streams.py`, which stands for a language model in the golden files. */

import type { Codes } from "../src/wire/codes.js";
import type { PacketLM } from "../src/wire/payload.js";

const WINDOW_BITS = 48n;

/** Codes every symbol by one table in which small codes are likely. Decodes only. */
export class ToyCoder implements PacketLM {
  readonly fingerprint = "fedcba9876543210" + "0".repeat(48);
  readonly tableRule = 1;
  readonly #table: number[] = [0];
  readonly #known = new Map<string, Int32Array>();

  constructor(codeBits: number) {
    const size = 1 << codeBits;
    const weights = Array.from({ length: size }, (_, i) => Math.floor(2 ** 30 / (8 + i) ** 2));
    const sum = weights.reduce((a, b) => a + b);
    const freqs = weights.map((weight) => 1 + Math.floor((weight * ((1 << 16) - size)) / sum));
    freqs[0] += (1 << 16) - freqs.reduce((a, b) => a + b);
    for (const freq of freqs) this.#table.push(this.#table[this.#table.length - 1] + freq);
  }

  encode(): Uint8Array[] {
    throw new Error("the tests only read");
  }

  decode(payloads: readonly Uint8Array[], shapes: readonly (readonly [number, number])[]): Codes[] {
    return payloads.map((payload, i) => {
      const [codebooks, frames] = shapes[i];
      const key = `${codebooks * frames} ${payload.join()}`;
      const data = this.#known.get(key) ?? this.#decode(payload, codebooks * frames);
      this.#known.set(key, data);
      return { codebooks, frames, data };
    });
  }

  #decode(payload: Uint8Array, count: number): Int32Array {
    let next = 0;
    const word = (): bigint => BigInt(((payload[next++] ?? 0) << 8) | (payload[next++] ?? 0));
    let width = 1n << WINDOW_BITS;
    let value = (word() << 32n) | (word() << 16n) | word();
    return Int32Array.from({ length: count }, () => {
      const unit = width >> 16n;
      const target = Number(value / unit > 65535n ? 65535n : value / unit);
      let symbol = 0;
      while (this.#table[symbol + 1] <= target) symbol++;
      const start = this.#table[symbol];
      width = BigInt(this.#table[symbol + 1] - start) * unit;
      value -= BigInt(start) * unit;
      if (width < 1n << 32n) {
        width <<= 16n;
        value = BigInt.asUintN(64, value << 16n) | word();
      }
      return symbol;
    });
  }
}
