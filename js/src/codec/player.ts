/** Streams and files of version 1 to audio, and files of version 0. */

import type { Decoder, Engine } from "../engine/engine.js";
import { columns, type Audio } from "../engine/planar.js";
import { CorruptError, TruncatedError, UnsupportedError } from "../errors.js";
import type { Codes } from "../wire/codes.js";
import { MAGIC, type Header } from "../wire/header.js";
import { readEnd, seek } from "../wire/index.js";
import { readCodes, type PacketLM } from "../wire/payload.js";
import { PacketReader, type Event, type ReaderOptions } from "../wire/reader.js";
import { checkModel as checkModel0, isVersion0, readMetadata, readPieces, type Geometry } from "../wire/version0.js";
import { blockDecoder } from "./blocks.js";
import { ConcealingDecoder } from "./concealment.js";
import { End } from "./end.js";
import { checkModel, gridWithin } from "./model_check.js";

const WARM_UP_S = 2; // how far before a wanted time decoding begins; docs/bitstream.md has the error that is left
const PIECE_BYTES = 1 << 16;
const PACKETS_AT_ONCE = 4;

/** What a player takes beside the stream. */
export interface PlayerModel {
  readonly engine: Engine;
  readonly decoder: Decoder;
  /** Gives the model's language model; called when a stream needs it. */
  readonly lm: () => Promise<PacketLM | null>;
  /** Frames that a causal model takes at once. */
  readonly gridFrames: number;
  /** Conceal what is damaged or missing. */
  readonly tolerant: boolean;
}

/** Where a player begins, if not at the start of the stream. */
export interface Beginning extends ReaderOptions {
  /** The first sample that is wanted. */
  readonly wanted?: number;
  /** Gives the length of the recording in samples per channel, or `null`; by default it is what the header says. */
  readonly total?: (header: Header) => number | null;
}

/** Takes the bytes of a stream of version 1 as they come, and gives audio. */
export class StreamPlayer {
  readonly #reader: PacketReader;
  readonly #model: PlayerModel;
  readonly #beginning: Beginning;
  readonly #most: number;
  #atOnce = 1; // the first sound waits for the first packet alone
  #decoder: ConcealingDecoder | null = null;
  #end: End | null = null;

  /**
   * @param model - that decodes.
   * @param beginning - where.
   * @param most - packets that are decoded side by side.
   */
  constructor(model: PlayerModel, beginning: Beginning = {}, most = 1) {
    this.#model = model;
    this.#beginning = beginning;
    this.#most = most;
    this.#reader = new PacketReader({ ...beginning, tolerant: model.tolerant });
  }

  /** Of the stream, as soon as it is known. */
  get header(): Header | null {
    return this.#reader.header;
  }

  /** Samples per channel that were missing so far, and were concealed. */
  get lostSamples(): number {
    return this.#decoder?.lostSamples ?? 0;
  }

  /**
   * The next bytes, to audio (C, T) in pieces.
   *
   * @throws BitstreamError if they are damaged, or were written with another model.
   */
  async *push(data: Uint8Array): AsyncGenerator<Audio> {
    for (let at = 0; at < data.length; at += PIECE_BYTES) {
      yield* this.#play(this.#reader.feed(data.subarray(at, at + PIECE_BYTES)));
    }
  }

  /** The stream has ended: the rest of its audio. */
  async *finish(): AsyncGenerator<Audio> {
    yield* this.#play(this.#reader.close());
    if (this.#decoder !== null && this.#end !== null) yield this.#end.rest(await this.#decoder.finish());
  }

  #begin(header: Header): [ConcealingDecoder, End] {
    if (this.#decoder === null || this.#end === null) {
      checkModel(header, this.#model.engine);
      const grid = gridWithin(header.maxPacketFrames, this.#model.gridFrames);
      const { first, wanted = 0, total } = this.#beginning;
      this.#decoder = new ConcealingDecoder(header, this.#model.decoder, grid, first ?? 0);
      this.#end = new End(header.hop, total ? total(header) : header.numSamples, (first ?? 0) * header.tick, wanted);
    }
    return [this.#decoder, this.#end];
  }

  async *#play(events: Event[]): AsyncGenerator<Audio> {
    const header = this.#reader.header;
    if (header === null) return;
    const [decoder, end] = this.#begin(header);
    for (let at = 0; at < events.length;) {
      const batch = events.slice(at, at + this.#atOnce);
      at += batch.length;
      this.#atOnce = this.#most;
      for (const [event, codes] of await this.#decoded(header, batch)) {
        if (event.type === "end") end.known(event.numSamples);
        for await (const part of audioOf(decoder, event, codes)) yield end.trim(part);
      }
    }
  }

  /** Events, packets with their codes; those that decode to nothing are left out, or are errors. */
  async #decoded(header: Header, events: readonly Event[]): Promise<[Event, Codes | null][]> {
    const packets = events.filter((event) => event.type === "packet");
    const lm = packets.some((packet) => packet.kind !== 0) ? await this.#model.lm() : null;
    const found = readCodes(header, packets, lm)[Symbol.iterator]();
    const decoded: [Event, Codes | null][] = [];
    for (const event of events) {
      const codes = event.type === "packet" ? (found.next().value as Codes | CorruptError) : null;
      if (!(codes instanceof CorruptError)) decoded.push([event, codes]);
      else if (!this.#model.tolerant) throw codes;
    }
    return decoded;
  }
}

async function* audioOf(decoder: ConcealingDecoder, event: Event, codes: Codes | null): AsyncGenerator<Audio> {
  if (event.type === "end") yield* decoder.end(event.start);
  else if (event.type === "lost") yield* decoder.lose(event);
  else if (codes !== null) yield* decoder.push(event, codes);
}

/**
 * Decode a file piece by piece.
 *
 * @param file - its bytes, of version 0 or 1.
 * @param start - the first sample that is wanted; in a file of version 1 little before it is decoded.
 * @throws BitstreamError if it is not a file of ours, damaged, or of another model.
 */
export async function* playFile(model: PlayerModel, file: Uint8Array, start = 0): AsyncGenerator<Audio> {
  if (versionOf(file, model.tolerant) === 0) {
    yield* playVersion0(model, file, start);
    return;
  }
  const total = (header: Header): number | null => readEnd(file, header)?.numSamples ?? header.numSamples;
  let beginning: Beginning = { total };
  if (start) {
    const rate = seek(file, 0).header.samplingRate;
    const { header, start: first, offset } = seek(file, Math.max(0, start - Math.round(WARM_UP_S * rate)));
    beginning = { total, wanted: start, header, first, offset };
  }
  const player = new StreamPlayer(model, beginning, PACKETS_AT_ONCE);
  yield* player.push(file.subarray(beginning.offset ?? 0));
  yield* player.finish();
}

/**
 * The version of a file.
 *
 * @param tolerant - leave a damaged front to version 1, whose reader mends it or says why it cannot.
 * @throws CorruptError, TruncatedError, UnsupportedError if it is not of a version that this package reads.
 */
export function versionOf(file: Uint8Array, tolerant = false): number {
  if (isVersion0(file)) return 0;
  if (tolerant) return 1;
  if (MAGIC.some((byte, i) => i < file.length && file[i] !== byte)) {
    throw new CorruptError("this is not an .ecdc file: it does not begin with ECDC");
  }
  if (file.length <= MAGIC.length) throw new TruncatedError(`the file ends after ${file.length} bytes`);
  const version = file[MAGIC.length];
  if (version > 1) {
    throw new UnsupportedError(`this reader knows versions 0 and 1 of .ecdc, the file has version ${version}`);
  }
  return 1;
}

/** What a model says of segments, as version 0 wants it. */
export function geometryOf(engine: Engine): Geometry {
  const { config } = engine;
  return {
    hop: config.hop,
    codebooks: config.codebooks,
    codeBits: config.code_bits,
    normalize: config.normalize,
    segmentLength: config.segment_length,
    segmentStride: config.segment_stride,
  };
}

async function* playVersion0(model: PlayerModel, file: Uint8Array, start: number): AsyncGenerator<Audio> {
  const { engine, tolerant } = model;
  const [metadata, begin] = readMetadata(file);
  checkModel0(metadata, engine.manifest.name, engine.fingerprints);
  const geometry = geometryOf(engine);
  const segment = Math.ceil(geometry.segmentLength / geometry.hop);
  const longest = segment || (tolerant ? 8 : Math.max(8, model.gridFrames)); // small pieces, to lose little
  const blocks = blockDecoder(model.decoder, model.gridFrames);
  let position = 0;
  const cut = (audio: Audio): Audio => {
    const kept = columns(audio, 0, Math.min(audio.length, metadata.numSamples - position));
    position += kept.length;
    return columns(kept, Math.max(0, kept.length - Math.max(0, position - start)), kept.length);
  };
  for (const piece of readPieces(file, begin, metadata, geometry, longest, tolerant)) {
    yield cut(await blocks.push(piece));
  }
  yield cut(await blocks.finish());
}
