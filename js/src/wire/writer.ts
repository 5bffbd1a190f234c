/** Writing a stream packet by packet. */

import { concatBytes } from "./bytes.js";
import type { Codes } from "./codes.js";
import { writeHeader, type Header } from "./header.js";
import { IndexBuilder } from "./index.js";
import { endOf, nextStart, writeEnd, writePacket } from "./packets.js";
import { writeCodes, type PacketLM } from "./payload.js";

/** Collects header, packets and end; `take` gives what is complete. */
export class StreamWriter {
  readonly #index = new IndexBuilder();
  readonly #ready: Uint8Array[] = [];
  #last: { start: number; frames: number } | null = null;
  #offset = 0;

  /** @param header - of the stream. */
  constructor(readonly header: Header) {
    this.#put(writeHeader(header));
  }

  /**
   * Write codes as the next packet of this section.
   *
   * @param codes - of 1 to the header's `maxPacketFrames` frames.
   * @param scale - where the header is `scaled`, else `null`.
   * @param lm - codes the packet; without it, it is plain.
   * @throws ModelMismatchError, RangeError as `writeCodes`.
   */
  write(codes: Codes, scale: number | null, lm: PacketLM | null): void {
    const { codebooks, frames } = codes;
    const start = this.#last === null ? 0 : nextStart(this.header, this.#last);
    const [kind, payload] = writeCodes(this.header, codes, lm);
    this.#index.add(this.#offset, start);
    this.#put(writePacket(this.header, { start, frames, codebooks, kind, payload, scale, restart: false }));
    this.#last = { start, frames };
  }

  /**
   * Write the end.
   *
   * @param numSamples - samples per channel of the whole stream: all that its frames make, but for a part of the last.
   */
  finish(numSamples: number): void {
    const start = this.#last === null ? 0 : endOf(this.header, this.#last);
    this.#put(writeEnd({ start, numSamples, entries: this.#index.entries }));
  }

  /** The bytes written since the last call. */
  take(): Uint8Array {
    return concatBytes(this.#ready.splice(0));
  }

  #put(written: Uint8Array): void {
    this.#ready.push(written);
    this.#offset += written.length;
  }
}
