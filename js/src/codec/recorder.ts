/** Audio to the bytes of a stream of version 1, as it comes. */

import { samplesOf } from "../checks.js";
import type { Engine } from "../engine/engine.js";
import { audioOf } from "../engine/planar.js";
import { AudioError } from "../errors.js";
import { framesOf, joinCodes, type Codes } from "../wire/codes.js";
import type { PacketLM } from "../wire/payload.js";
import { StreamWriter } from "../wire/writer.js";
import { blockEncoder, FILE_GRID_FRAMES, type Block, type BlockEncoder } from "./blocks.js";
import { gridWithin, headerOf, packetFrames } from "./model_check.js";

/** How a recording is coded. */
export interface RecorderOptions {
  /** K to use. */
  readonly codebooks: number;
  /** Length in samples per channel, if it is known for sure. */
  readonly numSamples: number | null;
  /** Length of a packet in seconds. */
  readonly packetS: number;
  /** Codes the packets; without it, they are plain. */
  readonly lm: PacketLM | null;
}

/** Writes blocks of codes as packets. */
export class BlockWriter {
  readonly #writer: StreamWriter;
  readonly #frames: number;
  readonly #segments: boolean;
  readonly #lm: PacketLM | null;
  #held: Codes[] = [];
  #heldFrames = 0;
  #scale: number | null = null;

  constructor(engine: Engine, options: RecorderOptions) {
    this.#frames = packetFrames(engine, options.packetS);
    this.#segments = engine.config.segment_length > 0;
    this.#lm = options.lm;
    this.#writer = new StreamWriter(headerOf(engine, options.codebooks, options.numSamples, this.#frames, options.lm));
  }

  /** Take the next codes: a segment in each block, or any number of frames where the model has no segments. */
  push(blocks: readonly Block[]): void {
    for (const { codes, scale } of blocks) {
      if (scale !== null) this.#scale = scale; // where a whole recording has one, every packet repeats it
      if (this.#segments) {
        this.#writer.write(codes, this.#scale, this.#lm);
        continue;
      }
      this.#held.push(codes);
      this.#heldFrames += codes.frames;
      if (this.#heldFrames >= this.#frames) this.#writeHeld(false);
    }
  }

  /** Write the end of a recording of so many samples per channel. */
  finish(numSamples: number): void {
    if (this.#heldFrames) this.#writeHeld(true);
    this.#writer.finish(numSamples);
  }

  /** The bytes written since the last call. */
  take(): Uint8Array {
    return this.#writer.take();
  }

  #writeHeld(last: boolean): void {
    const whole = joinCodes(this.#held);
    let at = 0;
    while (whole.frames - at >= this.#frames || (last && at < whole.frames)) {
      const stop = Math.min(at + this.#frames, whole.frames);
      this.#writer.write(framesOf(whole, at, stop), this.#scale, this.#lm);
      at = stop;
    }
    this.#held = at < whole.frames ? [framesOf(whole, at, whole.frames)] : [];
    this.#heldFrames = whole.frames - at;
  }
}

/** Takes audio as it comes, and gives the bytes of a stream. */
export class Recorder {
  readonly #engine: Engine;
  readonly #options: RecorderOptions;
  readonly #encoder: BlockEncoder;
  readonly #writer: BlockWriter;
  #numSamples = 0;
  #ended = false;

  /**
   * @param engine - the model.
   * @throws ConfigError for a length of packets that the format does not allow.
   */
  constructor(engine: Engine, options: RecorderOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#writer = new BlockWriter(engine, options);
    const grid = gridWithin(packetFrames(engine, options.packetS), FILE_GRID_FRAMES);
    this.#encoder = blockEncoder(engine, options.codebooks, grid);
  }

  /**
   * Take the next samples, channel after channel, and give the bytes that are complete.
   *
   * @throws AudioError for audio that the model cannot take, or after `finish`.
   */
  async push(samples: Float32Array): Promise<Uint8Array> {
    const { channels } = this.#engine.config;
    if (this.#ended) throw new AudioError("the recording has ended: finish was called");
    if (samplesOf(samples).length % channels) {
      throw new AudioError(`audio must be (${channels}, samples) for this model, got ${samples.length} numbers`);
    }
    const promised = this.#options.numSamples;
    const audio = audioOf(samples.slice(), channels);
    if (promised !== null && this.#numSamples + audio.length > promised) {
      throw new AudioError(`there are more samples than the ${promised} that were announced`);
    }
    const blocks = await this.#encoder.push(audio);
    this.#numSamples += audio.length;
    this.#writer.push(blocks);
    return this.#writer.take();
  }

  /**
   * End the recording and give its last bytes.
   *
   * @throws AudioError if there were no samples, or fewer than announced.
   */
  async finish(): Promise<Uint8Array> {
    if (this.#ended) return new Uint8Array();
    if (this.#numSamples === 0) throw new AudioError("there are no samples");
    const promised = this.#options.numSamples;
    if (promised !== null && promised !== this.#numSamples) {
      throw new AudioError(`there are ${this.#numSamples} samples, ${promised} were announced`);
    }
    this.#ended = true;
    this.#writer.push(await this.#encoder.finish());
    this.#writer.finish(this.#numSamples);
    return this.#writer.take();
  }
}
