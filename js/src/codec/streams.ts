/** Streams both ways: bytes or samples pushed as they come, by hand or through Web Streams. */

import { bytesOf } from "../checks.js";
import { joined, noAudio, type Audio } from "../engine/planar.js";
import { BitstreamError } from "../errors.js";
import { concatBytes } from "../wire/bytes.js";
import { MAGIC, type Header } from "../wire/header.js";
import { isVersion0 } from "../wire/version0.js";
import { playFile, StreamPlayer, type PlayerModel } from "./player.js";

/** Audio to the bytes of an `.ecdc` stream. Calls must not overlap: await each. */
export interface EncodeStream {
  /** Take the next samples (C * T, channel after channel), and give the bytes that are complete. */
  push(samples: Float32Array): Promise<Uint8Array>;
  /** End the recording, and give its last bytes. */
  finish(): Promise<Uint8Array>;
}

/** The bytes of an `.ecdc` stream to audio. Calls must not overlap: await each. */
export interface DecodeStream {
  /** Take the next bytes, any number, and give the samples (C * T, channel after channel) that are final. */
  push(bytes: Uint8Array): Promise<Float32Array>;
  /** There are no more bytes: the last samples. */
  finish(): Promise<Float32Array>;
  /** Samples per channel that were missing so far, and were concealed. */
  readonly lostSamples: number;
}

/** The samples of pieces, one after the other. */
export async function collected(pieces: AsyncIterable<Audio>, channels: number): Promise<Float32Array> {
  const parts: Audio[] = [noAudio(channels)];
  for await (const piece of pieces) parts.push(piece);
  return joined(parts).data;
}

/** Decodes a stream of version 1 as it comes. A file of version 0 is decoded when it is complete. */
export class StreamDecoder implements DecodeStream {
  readonly #model: PlayerModel;
  readonly #player: StreamPlayer;
  readonly #front: Uint8Array[] = [];
  #version: number | null = null;
  #error: unknown = null;

  constructor(model: PlayerModel) {
    this.#model = model;
    this.#player = new StreamPlayer(model);
  }

  get lostSamples(): number {
    return this.#player.lostSamples;
  }

  /** Of the stream, as soon as it is known; `null` for version 0. */
  get header(): Header | null {
    return this.#player.header;
  }

  /**
   * Take the next bytes.
   *
   * @throws BitstreamError if they are damaged, or of another model. It is thrown again by every later call.
   * @throws ConfigError for what is not bytes.
   */
  push(data: Uint8Array): Promise<Float32Array> {
    return this.#guarded(async () => {
      const bytes = bytesOf(data);
      if (this.#version === 1) return this.#collected(this.#player.push(bytes));
      this.#front.push(bytes.slice());
      const whole = this.#version === 0 ? null : concatBytes(this.#front);
      if (whole === null || whole.length <= MAGIC.length) return new Float32Array();
      this.#version = isVersion0(whole) ? 0 : 1;
      return this.#version === 0 ? new Float32Array() : this.#collected(this.#player.push(whole));
    });
  }

  finish(): Promise<Float32Array> {
    return this.#guarded(async () => {
      if (this.#version === 1) return this.#collected(this.#player.finish());
      return this.#collected(playFile(this.#model, concatBytes(this.#front)));
    });
  }

  async #guarded(work: () => Promise<Float32Array>): Promise<Float32Array> {
    if (this.#error !== null) throw this.#error;
    try {
      return await work();
    } catch (error) {
      if (error instanceof BitstreamError) this.#error = error;
      throw error;
    }
  }

  #collected(pieces: AsyncIterable<Audio>): Promise<Float32Array> {
    return collected(pieces, this.#model.engine.config.channels);
  }
}
