/** The codes of a file, without its networks. */

import type { Engine } from "../engine/engine.js";
import { CorruptError } from "../errors.js";
import { joinCodes, type Codes } from "../wire/codes.js";
import { eventsOf } from "../wire/inspection.js";
import type { Header } from "../wire/header.js";
import { readCodes, type PacketLM } from "../wire/payload.js";
import { PacketReader } from "../wire/reader.js";
import { checkModel as checkModel0, readMetadata, readPieces } from "../wire/version0.js";
import { checkModel } from "./model_check.js";
import { geometryOf, versionOf } from "./player.js";

/** What is in a file. */
export interface Unpacked {
  /** Of all segments, one after the other. */
  readonly codes: Codes;
  /** One of each segment, of a model that normalizes, else empty. */
  readonly scales: readonly number[];
  /** Per channel. */
  readonly numSamples: number;
}

const WHOLE_FRAMES = 1 << 12;

/**
 * Read a file's codes.
 *
 * @param lm - gives the language model, if packets are coded.
 * @throws BitstreamError if it is not a file of ours, damaged, or of another model.
 */
export async function unpackFile(
  file: Uint8Array,
  engine: Engine,
  lm: () => Promise<PacketLM | null>,
): Promise<Unpacked> {
  if (versionOf(file) === 0) {
    const [metadata, begin] = readMetadata(file);
    checkModel0(metadata, engine.manifest.name, engine.fingerprints);
    const pieces = [...readPieces(file, begin, metadata, geometryOf(engine), WHOLE_FRAMES, false)];
    const scales = pieces.flatMap((piece) => (piece.scale === null ? [] : [piece.scale]));
    return { codes: joinCodes(pieces.map((piece) => piece.codes)), scales, numSamples: metadata.numSamples };
  }
  const reader = new PacketReader();
  const events = [...eventsOf(reader, file)];
  const header = reader.header as Header;
  checkModel(header, engine);
  const packets = events.filter((event) => event.type === "packet");
  const found = readCodes(header, packets, packets.some((packet) => packet.kind) ? await lm() : null);
  const codes = found.map((one) => {
    if (one instanceof CorruptError) throw one;
    return one;
  });
  if (codes.length === 0) throw new CorruptError("the file holds no packets");
  if (new Set(codes.map((one) => one.codebooks)).size !== 1) {
    throw new CorruptError("the number of codebooks changes within the file");
  }
  const repeats = header.scaled && !header.segmentLength;
  const scales = packets.flatMap((packet) => (packet.scale === null ? [] : [packet.scale]));
  const numSamples = reader.end?.numSamples ?? 0;
  return { codes: joinCodes(codes), scales: repeats ? scales.slice(0, 1) : scales, numSamples };
}
