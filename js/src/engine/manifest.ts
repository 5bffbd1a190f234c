/** `recodec.json`: what `recodec export --web` says of a model. */

import { CheckpointError } from "../errors.js";
import type { LMSizes } from "../lm/kernel.js";

const MAX_FILE_BYTES = 2 ** 31 - 1;

/** Numbers of a model. */
export interface ModelConfig {
  /** In Hz. */
  readonly sampling_rate: number;
  readonly channels: number;
  /** Samples per frame. */
  readonly hop: number;
  /** The most codebooks that it has. */
  readonly codebooks: number;
  readonly codebook_size: number;
  readonly code_bits: number;
  readonly latent_size: number;
  /** Codebooks at each bandwidth in kbps. */
  readonly bandwidths: Readonly<Record<string, number>>;
  readonly default_bandwidth: number;
  /** Whether segments are divided by their loudness. */
  readonly normalize: boolean;
  /** Whether frames can be coded as they come. */
  readonly streamable: boolean;
  /** Samples of a segment; 0 for a model without segments. */
  readonly segment_length: number;
  /** Samples between the starts of segments. */
  readonly segment_stride: number;
}

/** How a network's stream is cut; see Python's `onnx_engine/plan.py`. */
export interface StreamPlan {
  readonly unit: number;
  readonly first: number;
  readonly start: string;
  readonly tail: boolean;
  readonly flush: boolean;
}

/** A network's graphs by phase, and the files of weights that they take. */
export interface NetworkFiles {
  readonly graphs: Readonly<Record<string, string>>;
  readonly weights: readonly string[];
  readonly plan?: StreamPlan;
  /** Of a spectral decoder with adapted norms: the condition for each number of codebooks. */
  readonly conditions?: readonly number[] | null;
}

/** The whole manifest. */
export interface Manifest {
  readonly name: string;
  readonly fingerprint: string;
  readonly also_decodes: readonly string[];
  readonly config: ModelConfig;
  readonly networks: Readonly<Record<string, NetworkFiles>>;
  readonly weights: Readonly<Record<string, { readonly halves: number; readonly singles: number }>>;
  readonly language_model: {
    readonly file: string;
    readonly sizes: LMSizes;
    readonly fingerprint: string;
    readonly table_rule: number;
  } | null;
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

/**
 * Read a manifest.
 *
 * @param text - its JSON.
 * @param url - where it came from, for messages.
 * @throws CheckpointError if it is not one, or of another version.
 */
export function parseManifest(text: string, url: string): Manifest {
  let found: Record<string, unknown>;
  try {
    found = JSON.parse(text);
  } catch {
    throw new CheckpointError(`${url} is not JSON: write it with "recodec export --web DIR"`);
  }
  if (found?.format !== "recodec-web" || typeof found.config !== "object" || typeof found.files !== "object") {
    throw new CheckpointError(`${url} is not a model for pages: write it with "recodec export --web DIR"`);
  }
  if (found.version !== 1) {
    throw new CheckpointError(`${url} is of version ${String(found.version)}, this package reads version 1`);
  }
  const manifest = found as unknown as Manifest;
  for (const [name, { bytes }] of Object.entries(manifest.files)) {
    if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes > MAX_FILE_BYTES || !/^[\w.-]+$/.test(name)) {
      throw new CheckpointError(`${url} names a file that cannot be: ${name} of ${bytes} bytes`);
    }
  }
  return manifest;
}
