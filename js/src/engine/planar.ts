/** Rows of numbers of one length: audio (C, T), codes (K, F), latents (D, F). */

import * as ort from "onnxruntime-web/wasm";
import type { Codes } from "../wire/codes.js";

/** (rows, length) numbers, row after row: float32 signals, or integers. */
export interface Planar<T extends Float32Array | Int32Array = Float32Array | Int32Array> {
  readonly rows: number;
  readonly length: number;
  readonly data: T;
}

/** Audio (C, T). */
export type Audio = Planar<Float32Array>;

/** No samples of so many channels. */
export function noAudio(channels: number): Audio {
  return { rows: channels, length: 0, data: new Float32Array() };
}

/** Audio of channels one after the other. */
export function audioOf(data: Float32Array, channels: number): Audio {
  return { rows: channels, length: data.length / channels, data };
}

/** Columns from `begin` to below `end`; copies. */
export function columns<P extends Planar>(x: P, begin: number, end: number): P {
  const length = Math.max(0, end - begin);
  const data = x.data instanceof Float32Array ? new Float32Array(x.rows * length) : new Int32Array(x.rows * length);
  for (let row = 0; row < x.rows; row++) {
    data.set(x.data.subarray(row * x.length + begin, row * x.length + begin + length), row * length);
  }
  return { rows: x.rows, length, data } as unknown as P;
}

/** Columns of several, one after the other; all have the rows of the first. */
export function joined<P extends Planar>(parts: readonly P[]): P {
  if (parts.length === 1) return parts[0];
  const { rows, data: first } = parts[0];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const data = first instanceof Float32Array ? new Float32Array(rows * length) : new Int32Array(rows * length);
  let at = 0;
  for (const part of parts) {
    for (let row = 0; row < rows; row++) {
      data.set(part.data.subarray(row * part.length, (row + 1) * part.length), row * length + at);
    }
    at += part.length;
  }
  return { rows, length, data } as unknown as P;
}

/** Codes as (K, F) rows. */
export function rowsOf(codes: Codes): Planar<Int32Array> {
  const { codebooks: rows, frames: length } = codes;
  const data = new Int32Array(rows * length);
  for (let f = 0; f < length; f++) for (let k = 0; k < rows; k++) data[k * length + f] = codes.data[f * rows + k];
  return { rows, length, data };
}

/** The first rows of a tensor (1, K, F) of int64, as codes. */
export function codesOf(tensor: ort.Tensor, codebooks: number): Codes {
  const found = tensor.data as BigInt64Array;
  const frames = tensor.dims[2];
  const data = new Int32Array(codebooks * frames);
  for (let k = 0; k < codebooks; k++) {
    for (let f = 0; f < frames; f++) data[f * codebooks + k] = Number(found[k * frames + f]);
  }
  return { codebooks, frames, data };
}

/** A tensor (1, rows, length): float32, or int64 of integers. */
export function tensorOf(x: Planar): ort.Tensor {
  const dims = [1, x.rows, x.length];
  if (x.data instanceof Float32Array) return new ort.Tensor("float32", x.data, dims);
  return new ort.Tensor("int64", BigInt64Array.from(x.data, BigInt), dims);
}

/** A tensor (1, rows, length) of float32 as rows. */
export function planarOf(tensor: ort.Tensor): Audio {
  return { rows: tensor.dims[1], length: tensor.dims[2], data: tensor.data as Float32Array };
}
