/** Codes of some frames. */

/** Codes, frame by frame, and within a frame codebook by codebook: the order of the wire. */
export interface Codes {
  /** K, codes per frame. */
  readonly codebooks: number;
  /** F. */
  readonly frames: number;
  /** (F * K,) integers. */
  readonly data: Int32Array;
}

/** No codes of so many codebooks. */
export function noCodes(codebooks: number): Codes {
  return { codebooks, frames: 0, data: new Int32Array() };
}

/** Some frames of codes; shares the memory. */
export function framesOf(codes: Codes, begin: number, end: number): Codes {
  const { codebooks, data } = codes;
  return { codebooks, frames: end - begin, data: data.subarray(begin * codebooks, end * codebooks) };
}

/** Codes that follow each other, all of one number of codebooks. */
export function joinCodes(parts: readonly Codes[]): Codes {
  const data = new Int32Array(parts.reduce((size, part) => size + part.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { codebooks: parts[0].codebooks, frames: data.length / parts[0].codebooks, data };
}
