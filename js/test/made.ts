/** What `reference.py` wrote. */

import { existsSync, readFileSync } from "node:fs";
import { MADE, MARKS } from "./setup.js";

/** Whether it is there; the tests that need it are skipped where Python is not. */
export const there = MARKS.every((name) => existsSync(MADE + name));

/** Folder of the model that `recodec export --web` wrote. */
export const MODEL = `${MADE}model`;

/** Folder of a small model of 48 kHz, stereo, in segments, with random weights. */
export const STEREO = `${MADE}stereo/model`;

/** A clip at a bandwidth. */
export interface Case {
  name: string;
  clip: string;
  bandwidth: number;
  samples: number;
}

/** The bytes of a file. */
export function made(name: string): Uint8Array {
  return new Uint8Array(readFileSync(`${MADE}${name}`));
}

/** The numbers of a file of float32. */
export function floats(name: string): Float32Array {
  return new Float32Array(made(name).buffer);
}

/** The numbers of a file of int32. */
export function integers(name: string): Int32Array {
  return new Int32Array(made(name).buffer);
}

/** A file of JSON. */
export function json<T>(name: string): T {
  return JSON.parse(new TextDecoder().decode(made(name))) as T;
}

/** The largest difference of two signals; they must be of one length. */
export function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
}
