/** Unsigned integers in as few bytes as they need: seven bits a byte, the lowest first (LEB128). */

import { CorruptError, TruncatedError } from "../errors.js";

/** The most bytes of a number that the format allows. */
export const MAX_BYTES = 9;

/** The bytes of numbers, one after the other. */
export function encode(...values: number[]): number[] {
  const out: number[] = [];
  for (let value of values) {
    while (value >= 0x80) {
      out.push((value % 0x80) | 0x80);
      value = Math.floor(value / 0x80);
    }
    out.push(value);
  }
  return out;
}

/**
 * Read the number at a position.
 *
 * The format allows numbers below 2^63. A double holds integers below 2^53 exactly, so this reader refuses the others:
 * no stream of real audio has one.
 *
 * @returns the number, and the position after it.
 * @throws TruncatedError if the bytes end within the number.
 * @throws CorruptError if it is too large, or takes more bytes than it needs.
 */
export function decode(bytes: Uint8Array, position: number): [number, number] {
  let value = 0;
  for (let count = 0; count < MAX_BYTES; count++) {
    if (position + count >= bytes.length) throw new TruncatedError("the stream ends within a number");
    const byte = bytes[position + count];
    value += (byte & 0x7f) * 2 ** (7 * count);
    if (byte < 0x80) {
      if (byte === 0 && count) throw new CorruptError("a number takes more bytes than it needs");
      if (value > Number.MAX_SAFE_INTEGER) throw new CorruptError("a number is too large");
      return [value, position + count + 1];
    }
  }
  throw new CorruptError("a number is too large");
}
