/** What a file says of itself, whatever its version, without its model. */

import { bytesOf } from "../checks.js";
import { inspect } from "./inspection.js";
import { isVersion0, readMetadata } from "./version0.js";

/** A short description of a file. */
export interface Info {
  /** Of the format: 0 or 1. */
  readonly version: number;
  /** Name of the model that wrote it; may be empty. */
  readonly model: string;
  /** First 16 hexadecimal digits of the model's fingerprint; `null` where the file does not tell it. */
  readonly fingerprint: string | null;
  /** The most codebooks of any frame. */
  readonly codebooks: number;
  /** Per channel. */
  readonly numSamples: number;
  /** In Hz; `null` in version 0, which does not tell it. */
  readonly samplingRate: number | null;
  /** `null` in version 0. */
  readonly channels: number | null;
  /** In seconds; `null` in version 0. */
  readonly durationS: number | null;
  /** All bytes, over the duration; `null` in version 0. */
  readonly bandwidthKbps: number | null;
  /** Whether it takes a language model to read, or may for some packets. */
  readonly coded: boolean;
  /** Whether nothing is damaged or missing; `null` in version 0, which has no checksums. */
  readonly intact: boolean | null;
  /** What is wrong, a line each. */
  readonly faults: readonly string[];
}

/**
 * Look into a file.
 *
 * @param file - its bytes.
 * @throws BitstreamError if it is not a file of ours at all; ConfigError for what is not bytes.
 */
export function info(file: ArrayBuffer | Uint8Array): Info {
  const bytes = bytesOf(file);
  if (isVersion0(bytes)) {
    const [{ model, fingerprint, codebooks, numSamples, coded }] = readMetadata(bytes);
    const unknown = { samplingRate: null, channels: null, durationS: null, bandwidthKbps: null, intact: null };
    return { version: 0, model, fingerprint, codebooks, numSamples, coded, ...unknown, faults: [] };
  }
  const found = inspect(bytes);
  const { model, fingerprint, codebooks, samplingRate, channels } = found.header;
  return {
    ...{ version: 1, model, fingerprint, codebooks, samplingRate, channels },
    ...{ numSamples: found.numSamples, durationS: found.durationS, bandwidthKbps: found.bandwidthKbps },
    ...{ coded: found.header.tableRule > 0, intact: found.intact, faults: [...found.faults()] },
  };
}
