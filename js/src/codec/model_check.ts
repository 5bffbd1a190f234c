/** Headers of streams that a model makes, and whether a stream is of the model. */

import { said } from "../checks.js";
import type { Engine } from "../engine/engine.js";
import { ConfigError, ModelMismatchError } from "../errors.js";
import {
  FINGERPRINT_DIGITS,
  Header,
  MAX_NAME_BYTES,
  MAX_PACKET_FRAMES,
  snake,
  type HeaderFields,
} from "../wire/header.js";
import type { PacketLM } from "../wire/payload.js";

const GRANULE_FRAMES = 25;
const GEOMETRY = [
  "samplingRate",
  "channels",
  "hop",
  "codebooks",
  "codeBits",
  "segmentLength",
  "segmentStride",
  "scaled",
] as const satisfies (keyof HeaderFields)[];

/**
 * The header of a stream that a model makes.
 *
 * @throws ConfigError for a model that the format has no room for.
 */
export function headerOf(
  engine: Engine,
  codebooks: number,
  numSamples: number | null,
  maxPacketFrames: number,
  lm: PacketLM | null,
): Header {
  const { config, manifest } = engine;
  try {
    return new Header({
      samplingRate: config.sampling_rate,
      channels: config.channels,
      hop: config.hop,
      codebooks,
      codeBits: config.code_bits,
      maxPacketFrames,
      segmentLength: config.segment_length,
      segmentStride: config.segment_stride,
      scaled: config.normalize,
      numSamples,
      model: shortened(manifest.name),
      fingerprint: manifest.fingerprint.slice(0, FINGERPRINT_DIGITS),
      ...(lm === null ? {} : { tableRule: lm.tableRule, lmFingerprint: lm.fingerprint.slice(0, FINGERPRINT_DIGITS) }),
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError(`the file format has no room for this model: ${error.message}`);
  }
}

/** As much of a name as the format has room for, no letter cut in two. */
function shortened(name: string): string {
  const room = new Uint8Array(MAX_NAME_BYTES);
  const { read } = new TextEncoder().encodeInto(name, room);
  return name.slice(0, read);
}

/**
 * Make sure that the model in use is the one that wrote the stream.
 *
 * @throws ModelMismatchError if it has other weights, or another geometry where the header does not say.
 */
export function checkModel(header: Header, engine: Engine): void {
  header.checkModel(engine.fingerprints);
  const expected = headerOf(engine, engine.config.codebooks, null, MAX_PACKET_FRAMES, null);
  for (const name of GEOMETRY) {
    const [found, wanted] = [header[name], expected[name]];
    if (name === "codebooks" ? found > wanted : found !== wanted) {
      throw new ModelMismatchError(
        `the stream was written with another model than '${engine.manifest.name}': ` +
          `its ${snake(name)} is ${found}, not ${wanted}`,
      );
    }
  }
}

/**
 * Frames of a packet of about a length; those of a segment where the model has segments.
 *
 * @param packetS - in seconds.
 * @throws ConfigError for a length that is not positive, or too long for the format.
 */
export function packetFrames(engine: Engine, packetS: number): number {
  const { sampling_rate: rate, hop, segment_length: segment } = engine.config;
  if (segment) return Math.ceil(segment / hop);
  const longestS = (MAX_PACKET_FRAMES * hop) / rate;
  if (!(typeof packetS === "number" && packetS > 0 && packetS <= longestS)) {
    throw new ConfigError(`a packet is longer than 0 s and at most ${longestS.toFixed(1)} s, got ${said(packetS)}`);
  }
  const frames = Math.max(1, Math.round((packetS * rate) / hop));
  return frames < 2 * GRANULE_FRAMES ? frames : Math.round(frames / GRANULE_FRAMES) * GRANULE_FRAMES;
}

/** The largest grid up to `most` that packets of so many frames are whole blocks of: none waits for the next. */
export function gridWithin(frames: number, most: number): number {
  let grid = Math.min(most, frames);
  while (frames % grid) grid--;
  return grid;
}
