/** Recordings of any length through any model, block by block: memory that does not grow. */

import type { Decoder, Engine } from "../engine/engine.js";
import { FRESH } from "../engine/network.js";
import { columns, joined, noAudio, rowsOf, type Audio, type Planar } from "../engine/planar.js";
import { AudioError, CorruptError } from "../errors.js";
import { joinCodes, type Codes } from "../wire/codes.js";
import { Rechunker } from "./rechunk.js";

const MAX_LEVEL = 1e6;

/** Frames that a causal model takes at once in files. */
export const FILE_GRID_FRAMES = 75;
/** The same of a spectral decoder: larger blocks make its products faster. */
export const SPECTRAL_GRID_FRAMES = 300;

/** Codes that follow those of the block before. */
export interface Block {
  readonly codes: Codes;
  /** Of a segment, or of a recording, if and only if the model normalizes. */
  readonly scale: number | null;
}

/** Audio (C, T) in pieces of any length to blocks of codes. */
export interface BlockEncoder {
  push(audio: Audio): Promise<Block[]>;
  finish(): Promise<Block[]>;
}

/** Blocks of codes to audio (C, T) in pieces, up to a hop longer than what was encoded. */
export interface BlockDecoder {
  push(block: Block): Promise<Audio>;
  finish(): Promise<Audio>;
}

/** The encoder for the engine's kind of model. */
export function blockEncoder(engine: Engine, codebooks: number, gridFrames: number): BlockEncoder {
  return engine.config.streamable
    ? new FrameEncoder(engine, codebooks, gridFrames)
    : new SegmentEncoder(engine, codebooks);
}

/** The decoder for this kind of model. */
export function blockDecoder(decoder: Decoder, gridFrames: number): BlockDecoder {
  if (decoder.config.streamable) return new FrameDecoder(decoder, gridFrames);
  return decoder.config.segment_length ? new SegmentDecoder(decoder) : new WholeDecoder(decoder);
}

/**
 * Make sure that a model can take samples.
 *
 * @throws AudioError for samples that are not finite or far beyond full scale.
 */
export function checkSamples(samples: Float32Array): void {
  let most = 0;
  for (let i = 0; i < samples.length; i++) {
    const size = Math.abs(samples[i]);
    if (!(size < Infinity)) throw new AudioError("audio has samples that are not finite (NaN or infinite)");
    if (size > most) most = size;
  }
  if (most > MAX_LEVEL) {
    throw new AudioError("audio has samples far beyond full scale (1): the most that is taken is 1e+06");
  }
}

/**
 * Make sure that codes are ones of a model.
 *
 * @throws CorruptError for anything else, or codes that the codebooks do not have.
 */
export function checkCodes(decoder: Decoder, codes: Codes): Codes {
  const { codebooks, codebook_size: size } = decoder.config;
  if (!(codes?.data instanceof Int32Array && codes.data.length === codes.frames * codes.codebooks)) {
    throw new CorruptError("codes must be an object of codebooks, frames, and data: an Int32Array of all codes");
  }
  if (codes.codebooks < 1 || codes.codebooks > codebooks) {
    throw new CorruptError(
      `codes must be (1 to ${codebooks}, frames), got shape (${codes.codebooks}, ${codes.frames})`,
    );
  }
  let [low, high] = [0, 0];
  for (const code of codes.data) {
    low = Math.min(low, code);
    high = Math.max(high, code);
  }
  if (low < 0 || high >= size) throw new CorruptError(`codes must be from 0 to ${size - 1}, got ${low} to ${high}`);
  return codes;
}

class FrameEncoder implements BlockEncoder {
  readonly #grid: Rechunker<Audio>;
  #state = FRESH;

  constructor(
    readonly engine: Engine,
    readonly codebooks: number,
    gridFrames: number,
  ) {
    this.#grid = new Rechunker(gridFrames * engine.config.hop);
  }

  async push(audio: Audio): Promise<Block[]> {
    checkSamples(audio.data);
    return this.#blocks(this.#grid.push(audio), false);
  }

  async finish(): Promise<Block[]> {
    const rest = this.#grid.rest();
    return rest === null ? [] : this.#blocks([rest], true);
  }

  async #blocks(pieces: Audio[], last: boolean): Promise<Block[]> {
    const blocks: Block[] = [];
    for (const piece of pieces) {
      const [codes, state] = await this.engine.encodeStep(piece, this.#state, last, this.codebooks);
      this.#state = state;
      if (codes.frames) blocks.push({ codes, scale: null });
    }
    return blocks;
  }
}

class FrameDecoder implements BlockDecoder {
  #grid: Rechunker<Planar<Int32Array>>;
  #state = FRESH;

  constructor(
    readonly decoder: Decoder,
    readonly gridFrames: number,
  ) {
    this.#grid = new Rechunker(gridFrames);
  }

  async push(block: Block): Promise<Audio> {
    const codes = rowsOf(checkCodes(this.decoder, block.codes));
    const rest = this.#grid.rest();
    const pieces: Planar<Int32Array>[] = [];
    if (rest !== null && rest.rows !== codes.rows) {
      if (rest.length) pieces.push(rest);
      this.#grid = new Rechunker(this.gridFrames);
    }
    return this.#decode([...pieces, ...this.#grid.push(codes)], false);
  }

  async finish(): Promise<Audio> {
    const rest = this.#grid.rest();
    return this.#decode(rest === null ? [] : [rest], true);
  }

  async #decode(pieces: Planar<Int32Array>[], last: boolean): Promise<Audio> {
    const parts: Audio[] = [noAudio(this.decoder.config.channels)];
    for (const piece of pieces) {
      const [audio, state] = await this.decoder.decodeStep(frameMajor(piece), this.#state, last);
      this.#state = state;
      parts.push(audio);
    }
    return joined(parts);
  }
}

/** Rows (K, F) as codes, frame by frame. */
function frameMajor(rows: Planar<Int32Array>): Codes {
  const { rows: codebooks, length: frames } = rows;
  const data = new Int32Array(codebooks * frames);
  for (let k = 0; k < codebooks; k++) {
    for (let f = 0; f < frames; f++) data[f * codebooks + k] = rows.data[k * frames + f];
  }
  return { codebooks, frames, data };
}

/** Segments of a fixed length, or, where the model has none, the whole as one segment. */
class SegmentEncoder implements BlockEncoder {
  readonly #grid: Rechunker<Audio>;
  readonly #stride: number;

  constructor(
    readonly engine: Engine,
    readonly codebooks: number,
  ) {
    const { segment_length: length, segment_stride: stride } = engine.config;
    this.#stride = stride;
    this.#grid = new Rechunker(length || Infinity, stride || Infinity);
  }

  async push(audio: Audio): Promise<Block[]> {
    checkSamples(audio.data);
    const blocks: Block[] = [];
    for (const segment of this.#grid.push(audio)) blocks.push(await this.#encode(segment));
    return blocks;
  }

  async finish(): Promise<Block[]> {
    const blocks: Block[] = [];
    for (let rest = this.#grid.rest(); rest !== null && rest.length;) {
      blocks.push(await this.#encode(rest));
      rest = this.#stride ? columns(rest, this.#stride, rest.length) : null;
    }
    return blocks;
  }

  async #encode(audio: Audio): Promise<Block> {
    const [codes, scale] = await this.engine.encodeSegment(audio, this.codebooks);
    return { codes, scale };
  }
}

/** Joins decoded segments with a linear cross-fade. */
class SegmentDecoder implements BlockDecoder {
  #triangle = new Float32Array();
  #sum: Audio;
  #weight = new Float32Array();
  #complete = false;

  constructor(readonly decoder: Decoder) {
    this.#sum = noAudio(decoder.config.channels);
  }

  async push(block: Block): Promise<Audio> {
    const audio = await this.decoder.decodeSegment(checkCodes(this.decoder, block.codes), block.scale);
    const [size, stride] = [audio.length, this.decoder.config.segment_stride];
    if (!this.#triangle.length) {
      // As wide as the first segment.
      this.#triangle = Float32Array.from({ length: size }, (_, i) => 0.5 - Math.abs((i + 1) / (size + 1) - 0.5));
    }
    if (this.#complete || size > this.#triangle.length) {
      throw new CorruptError(`a segment of ${block.codes.frames} frames cannot follow a shorter one`);
    }
    this.#complete = size < stride; // only the last segment may be that short
    this.#add(audio);
    return this.#take(Math.min(stride, size));
  }

  async finish(): Promise<Audio> {
    return this.#take(this.#weight.length);
  }

  #add(audio: Audio): void {
    const missing = Math.max(0, audio.length - this.#weight.length);
    const zeros = { rows: audio.rows, length: missing, data: new Float32Array(audio.rows * missing) };
    const sum = joined([this.#sum, zeros]);
    const weight = new Float32Array(sum.length);
    weight.set(this.#weight);
    for (let i = 0; i < audio.length; i++) weight[i] += this.#triangle[i];
    for (let row = 0; row < audio.rows; row++) {
      for (let i = 0; i < audio.length; i++) {
        sum.data[row * sum.length + i] += Math.fround(this.#triangle[i] * audio.data[row * audio.length + i]);
      }
    }
    [this.#sum, this.#weight] = [sum, weight];
  }

  /** The first samples, which no later segment reaches. */
  #take(count: number): Audio {
    const audio = columns(this.#sum, 0, count);
    for (let i = 0; i < audio.data.length; i++) audio.data[i] /= this.#weight[i % count];
    this.#sum = columns(this.#sum, count, this.#sum.length);
    this.#weight = this.#weight.slice(count);
    return audio;
  }
}

/** Collects everything: such a model decodes nothing before it has all. */
class WholeDecoder implements BlockDecoder {
  #blocks: Block[] = [];

  constructor(readonly decoder: Decoder) {}

  async push(block: Block): Promise<Audio> {
    if (this.#blocks.length && block.codes.codebooks !== this.#blocks[0].codes.codebooks) {
      throw new CorruptError("this model decodes a recording as a whole: the number of codebooks cannot change");
    }
    this.#blocks.push(block);
    return noAudio(this.decoder.config.channels);
  }

  async finish(): Promise<Audio> {
    const blocks = this.#blocks.splice(0);
    if (!blocks.length) return noAudio(this.decoder.config.channels);
    const codes = joinCodes(blocks.map((block) => block.codes));
    return this.decoder.decodeSegment(checkCodes(this.decoder, codes), blocks[0].scale);
  }
}
