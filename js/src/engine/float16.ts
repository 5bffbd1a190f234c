/** Half precision to single precision. */

let table: Float32Array | null = null;

/** All 65,536 numbers of half precision. */
function halves(): Float32Array {
  if (table !== null) return table;
  table = new Float32Array(1 << 16);
  for (let bits = 0; bits < table.length; bits++) {
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    const size =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 0x1f
          ? fraction
            ? NaN
            : Infinity
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    table[bits] = bits & 0x8000 ? -size : size;
  }
  return table;
}

/**
 * The numbers of a file of weights, all in single precision.
 *
 * @param file - little-endian: numbers in half precision, then numbers in single precision.
 * @param numHalves - how many of the former.
 * @param numSingles - how many of the latter.
 */
export function expandWeights(file: Uint8Array, numHalves: number, numSingles: number): Float32Array {
  const out = new Float32Array(numHalves + numSingles);
  const aligned = file.byteOffset % 2 ? file.slice() : file;
  const half = new Uint16Array(aligned.buffer, aligned.byteOffset, numHalves);
  const known = halves();
  for (let i = 0; i < numHalves; i++) out[i] = known[half[i]];
  const singles = aligned.slice(2 * numHalves, 2 * numHalves + 4 * numSingles);
  out.set(new Float32Array(singles.buffer), numHalves);
  return out;
}
