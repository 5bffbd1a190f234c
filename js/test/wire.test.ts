import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { BitstreamError } from "../src/errors.js";
import { crc32 } from "../src/wire/bytes.js";
import { seek } from "../src/wire/index.js";
import { eventsOf, inspect } from "../src/wire/inspection.js";
import type { Packet } from "../src/wire/packets.js";
import { readCodes } from "../src/wire/payload.js";
import { PacketReader, type Event } from "../src/wire/reader.js";
import { shown, shownFloat } from "../src/wire/text.js";
import { json, there } from "./made.js";
import { ToyCoder } from "./toy_coder.js";

interface Golden {
  data: string;
  whole: string[];
  surgeries: string[];
  digests: string[];
}

Error.stackTraceLimit = 0; // tens of thousands of errors are made here, and nobody looks where

const SEEK_SAMPLES = [0, 1, 3000, 9000, 100_000];
const coders = new Map<number, ToyCoder>();

function coder(codeBits: number): ToyCoder {
  const found = coders.get(codeBits) ?? new ToyCoder(codeBits);
  coders.set(codeBits, found);
  return found;
}

function named(error: unknown): string {
  if (!(error instanceof BitstreamError)) throw error;
  return `! ${error.name}: ${error.message}`;
}

function line(event: Event): string {
  if (event.type === "lost") return `L ${event.start} ${event.stop}`;
  if (event.type === "end") {
    return `E ${event.start} ${event.numSamples} ${event.entries.map((entry) => entry.join(":")).join()}`;
  }
  const scale = event.scale === null ? "None" : shownFloat(event.scale);
  const { start, frames, codebooks, kind, restart, offset, payload } = event;
  return `P ${start} ${frames} ${codebooks} ${kind} ${scale} ${restart ? 1 : 0} ${offset} ${crc32(payload)}`;
}

/** Events, damage, codes and errors of a stream, as `outcome` in reference.py writes them. */
function outcome(data: Uint8Array, tolerant: boolean): string {
  const reader = new PacketReader({ tolerant });
  const lines: string[] = [];
  const packets: Packet[] = [];
  try {
    for (const event of eventsOf(reader, data)) {
      lines.push(line(event));
      if (event.type === "packet") packets.push(event);
    }
  } catch (error) {
    lines.push(named(error));
  }
  if (reader.header !== null && packets.length) {
    for (const found of readCodes(reader.header, packets, coder(reader.header.codeBits))) {
      lines.push(found instanceof Error ? `X ${found.message}` : `C ${crc32(new Uint8Array(found.data.buffer))}`);
    }
  }
  lines.push(...reader.damages.map(({ offset, size, reason }) => `D ${offset} ${size} ${reason}`));
  return [...lines, `N ${reader.numDamages}`].join("\n");
}

function report(data: Uint8Array): string {
  const lines: string[] = [];
  try {
    const found = inspect(data);
    lines.push(`${found.sizeBytes} ${found.numPackets} ${found.numCoded} ${found.numSections}`);
    const whole = `${found.payloadBytes} ${found.endTick} ${found.numSamples} ${found.intact ? 1 : 0}`;
    lines.push(`${whole} ${found.lostTicks}`, ...found.faults());
  } catch (error) {
    lines.push(named(error));
  }
  for (const sample of SEEK_SAMPLES) {
    try {
      const { offset, start } = seek(data, sample);
      lines.push(`S ${offset} ${start}`);
    } catch (error) {
      lines.push(named(error));
    }
  }
  return lines.join("\n");
}

function bytesFrom(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}

function* damages(data: Uint8Array, golden: Golden): Generator<Uint8Array> {
  for (let bit = 0; bit < 8 * data.length; bit++) {
    const flipped = data.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    yield flipped;
  }
  for (let size = 0; size < data.length; size++) yield data.slice(0, size);
  for (const text of golden.surgeries) yield bytesFrom(text);
}

describe.skipIf(!there)("golden files", () => {
  const goldens = there ? json<Record<string, Golden>>("wire.json") : {};

  it.each(Object.keys(goldens))("%s is read as in Python", (name) => {
    const data = bytesFrom(goldens[name].data);
    expect([outcome(data, false), outcome(data, true), report(data)]).toEqual(goldens[name].whole);
  });

  it.each(Object.keys(goldens))("%s, damaged, ends as in Python", (name) => {
    const golden = goldens[name];
    let count = 0;
    for (const data of damages(bytesFrom(golden.data), golden)) {
      const text = [outcome(data, false), outcome(data, true), report(data)].join("\n");
      const digest = createHash("sha256").update(text).digest("hex").slice(0, 12);
      expect(digest, `damage ${count}:\n${text}`).toBe(golden.digests[count]);
      count += 1;
    }
    expect(count).toBe(golden.digests.length);
    console.log(`${name}: ${count} damaged files end as in Python`);
  });

  it.each(Object.keys(goldens))("%s gives the same events in pieces of any size", (name) => {
    const data = bytesFrom(goldens[name].data);
    for (const size of [1, 2, 7, 64]) {
      const reader = new PacketReader();
      const events: Event[] = [];
      for (let at = 0; at < data.length; at += size) events.push(...reader.feed(data.subarray(at, at + size)));
      events.push(...reader.close());
      expect(events).toEqual([...eventsOf(new PacketReader(), data)]);
    }
  });
});

describe("text", () => {
  it("shows values as Python does", () => {
    expect([NaN, Infinity, 0, -2, 0.001, 1.5e-7, 1e16, 0.25].map(shownFloat)).toEqual([
      ...["nan", "inf", "0.0", "-2.0", "0.001", "1.5e-07", "1e+16", "0.25"],
    ]);
    expect([null, "a'b", 3, true].map(shown)).toEqual(["None", '"a\'b"', "3", "True"]);
  });
});
