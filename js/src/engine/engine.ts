/** A model's encoder, quantizer and decoders on onnxruntime-web. */

import * as ort from "onnxruntime-web/wasm";
import type { Codes } from "../wire/codes.js";
import { noCodes } from "../wire/codes.js";
import type { Manifest, ModelConfig } from "./manifest.js";
import { FRESH, StreamedNetwork, type StreamState } from "./network.js";
import { audioOf, codesOf, noAudio, planarOf, rowsOf, tensorOf, type Audio, type Planar } from "./planar.js";
import type { Sessions } from "./sessions.js";

/** Decodes the codes of one model. */
export interface Decoder {
  readonly config: ModelConfig;
  /** Whether it is the spectral one, which gains from larger blocks. */
  readonly spectral: boolean;
  /** Codes of a segment or a whole recording to audio (C, F * hop). */
  decodeSegment(codes: Codes, scale: number | null): Promise<Audio>;
  /** Push frames of a causal model's codes; what has become final, and the next state. */
  decodeStep(codes: Codes, state: StreamState, last: boolean): Promise<[Audio, StreamState]>;
}

/** Encoder, quantizer and decoder of one model. It remembers nothing between calls. */
export class Engine implements Decoder {
  readonly config: ModelConfig;
  readonly spectral = false;
  readonly #encoder: StreamedNetwork;
  readonly #decoder: StreamedNetwork;

  /** @param sessions - of the model. */
  constructor(readonly sessions: Sessions) {
    this.config = this.manifest.config;
    const latents = { rows: this.config.latent_size, length: 0, data: new Float32Array() };
    this.#encoder = new StreamedNetwork(sessions, "encoder", ["audio", "latents"], latents);
    this.#decoder = new StreamedNetwork(sessions, "decoder", ["codes", "audio"], noAudio(this.config.channels));
  }

  /** What the model says of itself. */
  get manifest(): Manifest {
    return this.sessions.assets.manifest;
  }

  /** Of the model, and of those whose codes it decodes as well. */
  get fingerprints(): readonly string[] {
    return [this.manifest.fingerprint, ...this.manifest.also_decodes];
  }

  /**
   * Push a piece of audio into a causal model.
   *
   * @param audio - (C, T) with any T.
   * @param last - whether the stream ends here.
   * @param codebooks - K to use.
   * @returns codes that have become final, and the next state.
   */
  async encodeStep(audio: Audio, state: StreamState, last: boolean, codebooks: number): Promise<[Codes, StreamState]> {
    const [latents, next] = await this.#encoder.step(audio, state, last);
    return [await this.#quantize(latents, codebooks), next];
  }

  /** Encode a segment, or a whole recording: codes, and the scale of a model that normalizes. */
  async encodeSegment(audio: Audio, codebooks: number): Promise<[Codes, number | null]> {
    const out = await this.#encoder.whole(audio);
    const codes = await this.#quantize(planarOf(out.latents as ort.Tensor), codebooks);
    return [codes, this.config.normalize ? ((out.scale as ort.Tensor).data as Float32Array)[0] : null];
  }

  async decodeSegment(codes: Codes, scale: number | null): Promise<Audio> {
    const scales: Record<string, ort.Tensor> =
      scale === null ? {} : { scale: new ort.Tensor("float32", Float32Array.of(scale), [1]) };
    if (this.config.streamable) return (await this.#decoder.step(rowsOf(codes), FRESH, true))[0];
    return planarOf((await this.#decoder.whole(rowsOf(codes), scales)).audio as ort.Tensor);
  }

  decodeStep(codes: Codes, state: StreamState, last: boolean): Promise<[Audio, StreamState]> {
    return this.#decoder.step(rowsOf(codes), state, last);
  }

  /** Make what decoding or encoding needs ready, so that the first piece does not wait for it. */
  async prepare(part: "encoder" | "decoder", codebooks?: number): Promise<void> {
    const phase = this.config.streamable ? (this.manifest.networks[part].plan?.start ?? "step") : "whole";
    await this.sessions.get(part, phase);
    if (part === "encoder") await this.sessions.get("quantizer", this.#quantizerFor(codebooks ?? 1));
  }

  /** The quantizer with so many codebooks or a few more: what comes later changes nothing before it. */
  #quantizerFor(codebooks: number): string {
    const counts = Object.keys(this.manifest.networks.quantizer.graphs).map(Number);
    return String(Math.min(...counts.filter((count) => count >= codebooks)));
  }

  async #quantize(latents: Planar, codebooks: number): Promise<Codes> {
    if (latents.length === 0) return noCodes(codebooks);
    const session = await this.sessions.get("quantizer", this.#quantizerFor(codebooks));
    const out = await session.run({ latents: tensorOf(latents) });
    return codesOf(out.codes as ort.Tensor, codebooks);
  }
}

/** The second decoder of a model's codes: `docs/decisions/0021-spectral-decoder.md`. */
export class SpectralDecoder implements Decoder {
  readonly spectral = true;
  readonly config: ModelConfig;
  readonly #network: StreamedNetwork;

  /** @param engine - whose codes it decodes. */
  constructor(readonly engine: Engine) {
    this.config = engine.config;
    this.#network = new StreamedNetwork(engine.sessions, "spectral", ["latents", "audio"], noAudio(1));
  }

  async decodeSegment(codes: Codes): Promise<Audio> {
    const out = await this.#network.whole(await this.#latents(codes), this.#condition(codes));
    return planarOf(out.audio as ort.Tensor);
  }

  async decodeStep(codes: Codes, state: StreamState, last: boolean): Promise<[Audio, StreamState]> {
    return this.#network.step(await this.#latents(codes), state, last, this.#condition(codes));
  }

  /** Make it ready, so that the first piece does not wait for it. */
  async prepare(): Promise<void> {
    await this.engine.sessions.get("spectral", "start");
    await this.engine.sessions.get("spectral", "step");
  }

  /** The sum of the codebooks' entries, (D, F), added in the order in which Python adds them. */
  async #latents(codes: Codes): Promise<Planar> {
    const books = await this.engine.sessions.weights("quantizer");
    const { latent_size: rows, codebook_size: size } = this.config;
    const data = new Float32Array(rows * codes.frames);
    for (let k = 0; k < codes.codebooks; k++) {
      for (let f = 0; f < codes.frames; f++) {
        const entry = (k * size + codes.data[f * codes.codebooks + k]) * rows;
        for (let d = 0; d < rows; d++) data[d * codes.frames + f] += books[entry + d];
      }
    }
    return { ...audioOf(data, rows), length: codes.frames };
  }

  #condition(codes: Codes): Record<string, ort.Tensor> {
    const { conditions } = this.engine.manifest.networks.spectral;
    if (!conditions) return {};
    return { condition: new ort.Tensor("int64", BigInt64Array.of(BigInt(conditions[codes.codebooks - 1])), [1]) };
  }
}
