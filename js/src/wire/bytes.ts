/** Checksums, big-endian integers and bytes that grow. */

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

/** CRC-32, zlib's, of a stretch of bytes. */
export function crc32(bytes: Uint8Array, begin = 0, end = bytes.length): number {
  let crc = 0xffffffff;
  for (let i = begin; i < end; i++) crc = TABLE[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Four bytes at a position, as an unsigned big-endian integer. */
export function uint32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** An unsigned integer below 2^32 as four big-endian bytes. */
export function uint32Bytes(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

/** Pieces of bytes as one. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A queue of bytes: added at the end, taken from the front. */
export class ByteQueue {
  #held = new Uint8Array(1 << 12);
  #begin = 0;
  #end = 0;

  /** The bytes in the queue; valid until the next call of `push` or `drop`. */
  get bytes(): Uint8Array {
    return this.#held.subarray(this.#begin, this.#end);
  }

  /** Add bytes, which are copied. */
  push(data: Uint8Array): void {
    if (this.#end + data.length > this.#held.length) {
      const size = this.#end - this.#begin;
      const room = size + data.length <= this.#held.length / 2 ? this.#held : new Uint8Array(2 * (size + data.length));
      room.set(this.bytes);
      this.#held = room;
      this.#begin = 0;
      this.#end = size;
    }
    this.#held.set(data, this.#end);
    this.#end += data.length;
  }

  /** Take bytes off the front. */
  drop(count: number): void {
    this.#begin += count;
    if (this.#begin === this.#end) this.#begin = this.#end = 0;
  }
}
