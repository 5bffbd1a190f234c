/** Integers of a fixed width, packed without gaps, the lowest bit first. */

/** Bytes that so many values take. */
export function packedBytes(count: number, width: number): number {
  return Math.ceil((count * width) / 8);
}

/**
 * Pack integers of 0 to 2^width - 1; the last byte is filled up with zeros.
 *
 * @param values - (M,) integers.
 * @param width - in bits, 1 to 16.
 * @throws RangeError for a value that the width does not hold.
 */
export function pack(values: ArrayLike<number>, width: number): Uint8Array {
  const out = new Uint8Array(packedBytes(values.length, width));
  let held = 0;
  let bits = 0;
  let at = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!(value >= 0 && value < 1 << width)) {
      throw new RangeError(`values must be from 0 to ${(1 << width) - 1}, got ${value}`);
    }
    held |= value << bits;
    for (bits += width; bits >= 8; bits -= 8) {
      out[at++] = held & 0xff;
      held >>>= 8;
    }
  }
  if (bits) out[at] = held & 0xff;
  return out;
}

/**
 * The first values of packed bytes, which must be long enough for them.
 *
 * @returns (count,) integers.
 */
export function unpack(packed: Uint8Array, count: number, width: number): Int32Array {
  const out = new Int32Array(count);
  const mask = (1 << width) - 1;
  let held = 0;
  let bits = 0;
  let at = 0;
  for (let i = 0; i < count; i++) {
    for (; bits < width; bits += 8) held |= packed[at++] << bits;
    out[i] = held & mask;
    held >>>= width;
    bits -= width;
  }
  return out;
}
