/** What is in a stream, and whether it is whole. */

import { bytesOf } from "../checks.js";
import { CorruptError, UnsupportedError } from "../errors.js";
import type { Header } from "./header.js";
import { startAt } from "./index.js";
import { endOf, PLAIN } from "./packets.js";
import { MAX_DAMAGES, PacketReader, type Damage, type Event } from "./reader.js";
import type { Lost } from "./timeline.js";
import { isOfRightSize, isVersion0 } from "./version0.js";

const PIECE_BYTES = 1 << 16;

/** Where a packet lies in time, and how large it is. */
export interface Span {
  /** Where its audio begins, in seconds. */
  readonly startS: number;
  /** Length of its audio, in seconds. */
  readonly durationS: number;
  /** Of the whole packet. */
  readonly bytes: number;
  /** Codes per frame. */
  readonly codebooks: number;
}

/** A stream, read from its start to its end. */
export class Inspection {
  /** Of all. */
  sizeBytes = 0;
  /** Bytes of what could be read. */
  goodBytes = 0;
  numPackets = 0;
  /** Packets coded with a language model. */
  numCoded = 0;
  numSections = 0;
  /** By number of codebooks, how many frames. */
  readonly frames = new Map<number, number>();
  /** Of all packets together, without scales. */
  payloadBytes = 0;
  /** Where the audio ends, in ticks. */
  endTick = 0;
  /** Samples per channel, from the end, else the header, else the frames. */
  numSamples = 0;
  /** Whether the end is there. */
  complete = false;
  /** Whether each entry of the index points at its packet; `null` without an end. */
  indexGood: boolean | null = null;
  /** The first `MAX_DAMAGES` stretches of audio that are missing. */
  readonly lost: Lost[] = [];
  /** Length of all of them. */
  lostTicks = 0;
  /** The first `MAX_DAMAGES` places of damage. */
  damages: readonly Damage[] = [];
  numDamages = 0;
  /** Every packet, in order. */
  readonly spans: Span[] = [];

  constructor(readonly header: Header) {}

  /** Nothing is damaged, nothing is missing, the index is right. */
  get intact(): boolean {
    return this.complete && !this.numDamages && this.lost.length === 0 && this.indexGood === true;
  }

  /** Length of the audio in seconds. */
  get durationS(): number {
    return this.numSamples / this.header.samplingRate;
  }

  /** Length of the audio that is missing, in seconds. */
  get lostS(): number {
    return (this.lostTicks * this.header.tick) / this.header.samplingRate;
  }

  /** Kilobits per second of the audio that is there, all overhead counted; 0 if there is none. */
  get bandwidthKbps(): number {
    const there = this.durationS - this.lostS;
    return there > 0 ? (8 * this.goodBytes) / 1000 / there : 0;
  }

  /**
   * Make sure that the stream is intact.
   *
   * @throws CorruptError with the first fault, if it is not.
   */
  check(): void {
    for (const fault of this.faults()) throw new CorruptError(fault);
  }

  /** What is wrong, a line each: the first `MAX_DAMAGES` stretches that are lost, and places of damage. */
  *faults(): Generator<string> {
    const second = this.header.samplingRate / this.header.tick;
    for (const gap of this.lost) {
      yield `lost: ${(gap.start / second).toFixed(3)} s to ${(gap.stop / second).toFixed(3)} s`;
    }
    for (const { offset, size, reason } of this.damages) {
      yield `byte${size ? "s" : ""} ${offset}${size ? ` to ${offset + size - 1}` : ""}: ${reason}`;
    }
    if (!this.complete) yield "the end is missing";
    else if (this.indexGood === false) yield "the index does not point at packets";
  }
}

/**
 * Read a file of version 1 to its end, whatever its state, and say what it holds and what is damaged.
 *
 * @param bytes - of the file.
 * @throws UnsupportedError for a file of version 0, which has no checksums: whether it is damaged cannot be said.
 * @throws TruncatedError or CorruptError for one whose size is not what its header promises, where that can be known.
 * @throws BitstreamError if it is not a file of ours at all; ConfigError for what is not bytes.
 */
export function inspect(bytes: ArrayBuffer | Uint8Array): Inspection {
  const file = bytesOf(bytes);
  if (isVersion0(file)) {
    const right = isOfRightSize(file) ? "its size is right, but " : "";
    throw new UnsupportedError(
      `a file of version 0 has no checksums: ${right}whether its codes are damaged cannot be said`,
    );
  }
  const reader = new PacketReader({ tolerant: true });
  let report: Inspection | null = null;
  for (const event of eventsOf(reader, file)) {
    report ??= new Inspection(reader.header as Header);
    count(report, event);
  }
  report ??= new Inspection(reader.header as Header);
  report.sizeBytes = file.length;
  report.goodBytes = reader.goodBytes;
  report.damages = reader.damages;
  report.numDamages = reader.numDamages;
  const known = reader.end === null ? report.header.numSamples : reader.end.numSamples;
  const made = report.endTick * report.header.tick;
  report.numSamples = known === null ? made : Math.min(known, made);
  if (reader.end !== null) {
    const { header } = report;
    report.complete = true;
    report.indexGood = reader.end.entries.every(([at, start]) => startAt(file, header, at) === start);
  }
  return report;
}

/** All events of a file, fed piece by piece, and then closed. */
export function* eventsOf(reader: PacketReader, file: Uint8Array): Generator<Event> {
  for (let at = 0; at < file.length; at += PIECE_BYTES) yield* reader.feed(file.subarray(at, at + PIECE_BYTES));
  yield* reader.close();
}

function count(report: Inspection, event: Event): void {
  const { header } = report;
  if (event.type === "lost") {
    report.lostTicks += event.stop - event.start;
    if (report.lost.length < MAX_DAMAGES) report.lost.push(event);
    report.endTick = event.stop;
  } else if (event.type === "end") {
    report.endTick = event.start;
  } else {
    report.numSections += report.numPackets === 0 || event.restart ? 1 : 0;
    report.numPackets += 1;
    report.numCoded += event.kind === PLAIN ? 0 : 1;
    report.frames.set(event.codebooks, (report.frames.get(event.codebooks) ?? 0) + event.frames);
    report.payloadBytes += event.payload.length;
    report.endTick = endOf(header, event);
    const [rate, samples] = [header.samplingRate, event.frames * header.hop];
    const { size: bytes, codebooks } = event;
    report.spans.push({ startS: (event.start * header.tick) / rate, durationS: samples / rate, bytes, codebooks });
  }
}
