/** `Codec`: a model, ready to code recordings, streams and files. */

import { bytesOf, checkAddress, checkCount, checkOptions, said, samplesOf, SWITCH, type Allowed } from "../checks.js";
import { Assets, type AssetOptions } from "../engine/assets.js";
import { Engine, SpectralDecoder, type Decoder } from "../engine/engine.js";
import type { ModelConfig } from "../engine/manifest.js";
import type { Audio } from "../engine/planar.js";
import { Sessions } from "../engine/sessions.js";
import { CheckpointError, ConfigError } from "../errors.js";
import { LanguageModel, TABLE_RULE } from "../lm/language_model.js";
import { concatBytes } from "../wire/bytes.js";
import type { Codes } from "../wire/codes.js";
import { checkCodes, FILE_GRID_FRAMES, SPECTRAL_GRID_FRAMES } from "./blocks.js";
import { playFile, type PlayerModel } from "./player.js";
import { BlockWriter, Recorder, type RecorderOptions } from "./recorder.js";
import { collected, StreamDecoder, type DecodeStream, type EncodeStream } from "./streams.js";
import { transform } from "./web_streams.js";
import { unpackFile, type Unpacked } from "./unpack.js";

const PACKET_S = 4;

/** How a model is loaded. */
export interface LoadOptions extends AssetOptions {
  /**
   * URL of the folder with `ort-wasm-simd-threaded.wasm` of onnxruntime-web. Without it, the runtime looks beside the
   * script that it is in; in Node it finds its own package.
   */
  runtime?: string;
}

/** How a recording is encoded. */
export interface EncodeOptions {
  /** In kbps, one of the model's; its default one if neither this nor `codebooks` is given. */
  bandwidth?: number;
  /** Codebooks to use, in place of a bandwidth. */
  codebooks?: number;
  /** Whether the model's language model makes the file smaller, if there is one; true by default. */
  lm?: boolean;
  /** Length of a packet in seconds, 4 by default: a live stream waits for one, and short ones cost bytes. */
  packetS?: number;
}

/** How a stream or a file is decoded. */
export interface DecodeOptions {
  /** Conceal what is damaged or missing; false by default: the first fault is an error. */
  tolerant?: boolean;
  /** Which decoder: "auto" takes the spectral one if the model has it. */
  decoder?: "auto" | "encodec" | "spectral";
  /** Frames that the decoder takes at once: 1 gives sound soonest, the default is fastest. */
  gridFrames?: number;
}

/** How a file is decoded. */
export interface PlayOptions extends DecodeOptions {
  /** The first sample that is wanted, counted from 0. */
  start?: number;
}

const LOAD_OPTIONS: Allowed<LoadOptions> = { onProgress: "function", cache: SWITCH, runtime: null };
const ENCODE_OPTIONS: Allowed<EncodeOptions> = { bandwidth: null, codebooks: null, lm: SWITCH, packetS: null };
const DECODE_OPTIONS: Allowed<DecodeOptions> = {
  tolerant: SWITCH,
  decoder: ["auto", "encodec", "spectral"],
  gridFrames: null,
};
const PLAY_OPTIONS: Allowed<PlayOptions> = { ...DECODE_OPTIONS, start: null };
const TASKS = ["encode", "decode"];

/**
 * A model. Audio is samples of single precision at the model's rate, (C, T) as one array, channel after channel; full
 * scale is 1. The networks run in this thread: in a page, load it in a worker (`loadInWorker`).
 */
export class Codec {
  readonly #engine: Engine;
  readonly #spectral: SpectralDecoder | null;
  #lm: Promise<LanguageModel | null> | null = null;

  private constructor(engine: Engine) {
    this.#engine = engine;
    this.#spectral = engine.manifest.networks.spectral ? new SpectralDecoder(engine) : null;
  }

  /**
   * Open a model. Its files are fetched when they are first needed, or by `prepare`.
   *
   * @param url - of the folder that `recodec export --web` wrote; in Node also a path.
   * @throws CheckpointError if there is none; ConfigError for options that there are not.
   */
  static async load(url: string | URL, options: LoadOptions = {}): Promise<Codec> {
    checkAddress(url);
    checkOptions(options, LOAD_OPTIONS);
    return new Codec(new Engine(new Sessions(await Assets.open(url, options), options.runtime)));
  }

  /** The model's numbers. */
  get config(): ModelConfig {
    return this.#engine.config;
  }

  /** The model's name, as files carry it. */
  get name(): string {
    return this.#engine.manifest.name;
  }

  /** SHA-256 of the model, 64 hexadecimal digits. */
  get fingerprint(): string {
    return this.#engine.manifest.fingerprint;
  }

  /** The decoders that the model has. */
  get decoders(): ("encodec" | "spectral")[] {
    return this.#spectral === null ? ["encodec"] : ["encodec", "spectral"];
  }

  /**
   * Fetch and start what encoding or decoding needs, so that the first piece does not wait for it.
   *
   * @param what - "encode" or "decode".
   * @param options - those that will be used.
   * @throws ConfigError for settings that the model does not have.
   */
  async prepare(what: "encode" | "decode", options: EncodeOptions & DecodeOptions = {}): Promise<void> {
    if (!TASKS.includes(what)) throw new ConfigError(`prepare takes one of ${TASKS.join(", ")}, got ${said(what)}`);
    checkOptions(options, { ...ENCODE_OPTIONS, ...DECODE_OPTIONS });
    const lm = options.lm === false ? null : this.#languageModel();
    if (what === "encode") await this.#engine.prepare("encoder", this.#codebooks(options));
    else if (this.#decoder(options.decoder) === this.#spectral) await this.#spectral?.prepare();
    else await this.#engine.prepare("decoder");
    await lm;
  }

  /**
   * Audio to the bytes of an `.ecdc` file of version 1.
   *
   * @param audio - (C * T,), channel after channel.
   * @throws AudioError, ConfigError for audio or settings that the model cannot take.
   */
  async encode(audio: Float32Array, options: EncodeOptions = {}): Promise<Uint8Array> {
    const numSamples = Math.floor(samplesOf(audio).length / this.config.channels) || null;
    const recorder = await this.#recorder(options, numSamples);
    return concatBytes([await recorder.push(audio), await recorder.finish()]);
  }

  /**
   * The bytes of an `.ecdc` file, of version 0 or 1, to audio: as many samples as went in.
   *
   * @param file - a whole file, or with `tolerant` what is left of one.
   * @returns (C * T,), channel after channel.
   * @throws BitstreamError if the bytes are no file of ours, damaged, or of another model.
   * @throws ConfigError for settings that the model does not have, and for what is not bytes.
   */
  async decode(file: ArrayBuffer | Uint8Array, options: PlayOptions = {}): Promise<Float32Array> {
    return collected(this.#play(file, options), this.config.channels);
  }

  /**
   * Decode a file piece by piece, in constant memory; arguments and errors as in `decode`.
   *
   * @yields samples (C * T,), T >= 0, channel after channel.
   */
  async *play(file: ArrayBuffer | Uint8Array, options: PlayOptions = {}): AsyncGenerator<Float32Array> {
    for await (const audio of this.#play(file, options)) yield audio.data;
  }

  /**
   * The codes of a file, without running the networks.
   *
   * @throws BitstreamError as `decode`; also if the number of codebooks changes within the file.
   */
  async unpack(file: ArrayBuffer | Uint8Array): Promise<Unpacked> {
    return unpackFile(bytesOf(file), this.#engine, () => this.#languageModel());
  }

  /**
   * Codes to the bytes of a file: what `encode` makes of the same codes. For models without segments.
   *
   * @param codes - of the whole recording.
   * @param numSamples - its length, within the last frame.
   * @throws ConfigError for a model with segments, or a length that the codes do not have.
   * @throws CorruptError for codes that the codebooks do not have.
   */
  async pack(codes: Codes, numSamples: number, options: EncodeOptions = {}): Promise<Uint8Array> {
    const { hop, segment_length: segment, normalize } = this.config;
    if (segment || normalize) throw new ConfigError("pack takes the codes of models without segments and scales");
    checkCodes(this.#engine, codes);
    if (Math.ceil(checkCount(numSamples, "numSamples", 1) / hop) !== codes.frames) {
      throw new ConfigError(`${codes.frames} frames cannot be ${numSamples} samples`);
    }
    const settings = await this.#settings({ ...options, codebooks: codes.codebooks, bandwidth: undefined }, numSamples);
    const writer = new BlockWriter(this.#engine, settings);
    writer.push([{ codes, scale: null }]);
    writer.finish(numSamples);
    return writer.take();
  }

  /**
   * Encode audio as it comes.
   *
   * @throws ConfigError for settings that the model does not have.
   */
  encoder(options: EncodeOptions = {}): Promise<EncodeStream> {
    return this.#recorder(options, null);
  }

  /**
   * Decode a stream as it comes.
   *
   * @throws ConfigError for settings that the model does not have.
   */
  decoder(options: DecodeOptions = {}): DecodeStream {
    checkOptions(options, DECODE_OPTIONS);
    return new StreamDecoder(this.#model(options));
  }

  /** Audio in, the bytes of a stream out, as a Web Stream. */
  encodeStream(options: EncodeOptions = {}): TransformStream<Float32Array, Uint8Array> {
    return transform(this.#recorder(options, null));
  }

  /** The bytes of a stream in, audio out, as a Web Stream. */
  decodeStream(options: DecodeOptions = {}): TransformStream<Uint8Array, Float32Array> {
    return transform(this.decoder(options));
  }

  // ---- parts -------------------------------------------------------------------------------

  async #recorder(options: EncodeOptions, numSamples: number | null): Promise<Recorder> {
    return new Recorder(this.#engine, await this.#settings(options, numSamples));
  }

  #play(file: ArrayBuffer | Uint8Array, options: PlayOptions): AsyncGenerator<Audio> {
    checkOptions(options, PLAY_OPTIONS);
    const start = checkCount(options.start ?? 0, "start", 0);
    return playFile(this.#model(options), bytesOf(file), start);
  }

  async #settings(options: EncodeOptions, numSamples: number | null): Promise<RecorderOptions> {
    checkOptions(options, ENCODE_OPTIONS);
    const codebooks = this.#codebooks(options);
    const lm = options.lm === false ? null : await this.#languageModel();
    return { codebooks, numSamples, packetS: options.packetS ?? PACKET_S, lm };
  }

  #codebooks(options: EncodeOptions): number {
    const { bandwidths, default_bandwidth: usual, codebooks: most } = this.config;
    const { bandwidth, codebooks } = options;
    if (codebooks !== undefined) {
      if (bandwidth !== undefined) throw new ConfigError("give bandwidth or codebooks, not both");
      if (Number.isInteger(codebooks) && codebooks >= 1 && codebooks <= most) return codebooks;
      throw new ConfigError(`codebooks must be from 1 to ${most}, got ${said(codebooks)}`);
    }
    const choices = Object.keys(bandwidths).map(Number);
    const chosen = bandwidth === undefined ? usual : bandwidth;
    if (choices.includes(chosen)) return bandwidths[String(chosen)];
    choices.sort((a, b) => a - b);
    throw new ConfigError(
      `This model doesn't support the bandwidth ${said(bandwidth)}. Select one of [${choices.join(", ")}].`,
    );
  }

  #model(options: DecodeOptions): PlayerModel {
    const decoder = this.#decoder(options.decoder);
    const usual = decoder.spectral ? SPECTRAL_GRID_FRAMES : FILE_GRID_FRAMES;
    const gridFrames = checkCount(options.gridFrames ?? usual, "gridFrames", 1);
    const lm = (): Promise<LanguageModel | null> => this.#languageModel();
    return { engine: this.#engine, decoder, lm, gridFrames, tolerant: options.tolerant ?? false };
  }

  #decoder(name: DecodeOptions["decoder"] = "auto"): Decoder {
    if (name === "encodec" || (name === "auto" && this.#spectral === null)) return this.#engine;
    if (this.#spectral === null) throw new ConfigError(`the model ${said(this.name)} has no spectral decoder`);
    return this.#spectral;
  }

  #languageModel(): Promise<LanguageModel | null> {
    this.#lm ??= this.#loadLanguageModel().catch((error: unknown) => {
      this.#lm = null; // so that one may try again
      throw error;
    });
    return this.#lm;
  }

  async #loadLanguageModel(): Promise<LanguageModel | null> {
    const facts = this.#engine.manifest.language_model;
    if (facts === null) return null;
    if (facts.table_rule !== TABLE_RULE) {
      throw new CheckpointError(
        `the language model follows rule ${facts.table_rule}, this package knows ${TABLE_RULE}`,
      );
    }
    const file = await this.#engine.sessions.assets.get(facts.file);
    return LanguageModel.load(facts.sizes, facts.fingerprint, file);
  }
}
