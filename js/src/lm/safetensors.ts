/** Reading a safetensors file. */

import { CheckpointError } from "../errors.js";

const MAX_HEADER_BYTES = 1 << 24;
const SIZES: Record<string, number> = { I8: 1, I16: 2, I32: 4 };

/** A tensor: its type, its shape and its bytes, little-endian. */
export interface Tensor {
  readonly type: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/**
 * The integer tensors of a file, by name; they share its memory.
 *
 * @throws CheckpointError for a file that is not valid.
 */
export function readSafetensors(file: Uint8Array): Map<string, Tensor> {
  const bad = (what: string): CheckpointError => new CheckpointError(`the language model's file is not valid: ${what}`);
  if (file.length < 8) throw bad("it is too short");
  const size = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  if (size > MAX_HEADER_BYTES || 8 + size > file.length) throw bad(`its header claims ${size} bytes`);
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  try {
    header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + size)));
  } catch {
    throw bad("its header is not JSON");
  }
  const tensors = new Map<string, Tensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, data_offsets: place } = entry;
    const each = SIZES[dtype];
    const good = Array.isArray(shape) && Array.isArray(place) && shape.every((n) => Number.isSafeInteger(n) && n >= 0);
    if (each === undefined || !good) throw bad(`its tensor ${name} is of another kind`);
    const [begin, end] = [8 + size + place[0], 8 + size + place[1]];
    const wanted = shape.reduce((product, n) => product * n, each);
    if (!(begin >= 8 + size && end <= file.length && end - begin === wanted))
      throw bad(`its tensor ${name} is cut off`);
    tensors.set(name, { type: dtype, shape, bytes: file.subarray(begin, end) });
  }
  return tensors;
}
