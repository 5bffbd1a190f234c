/** Payloads: codes as bits without gaps, or coded with a language model's tables. */

import { CorruptError, ModelMismatchError } from "../errors.js";
import * as bits from "./bits.js";
import { concatBytes, crc32 } from "./bytes.js";
import type { Codes } from "./codes.js";
import type { Header } from "./header.js";
import { CHECK_BYTES, CODED, CODED_SHORT, PLAIN, type Packet } from "./packets.js";

// Shorter packets have a short check: in a live stream of single frames a byte more would cost a tenth of the rate.
const SHORT_FRAMES = 32;

/** A language model as version 1 sees it: codes in, bytes out, and back. `lm/language_model.ts` has one. */
export interface PacketLM {
  /** Of its weights: 16 hexadecimal digits or more. */
  readonly fingerprint: string;
  /** Version of the rule that makes its frequency tables, 1 or more. */
  readonly tableRule: number;
  /** Code packets that know nothing of each other. */
  encode(codes: readonly Codes[]): Uint8Array[];
  /** Decode packets of shapes [codebooks, frames]. Any bytes decode to some codes of the right shape and range. */
  decode(payloads: readonly Uint8Array[], shapes: readonly (readonly [number, number])[]): Codes[];
}

/**
 * Kind and payload of a packet. Where a language model saves nothing they are plain.
 *
 * @param lm - makes the payload; without it, it is plain.
 * @throws ModelMismatchError if the header names another language model than `lm`.
 * @throws RangeError for a code that its width does not hold.
 */
export function writeCodes(header: Header, codes: Codes, lm: PacketLM | null): [number, Uint8Array] {
  const plain = bits.pack(codes.data, header.codeBits);
  if (lm === null) return [PLAIN, plain];
  header.checkLm(lm.fingerprint, lm.tableRule);
  const kind = codes.frames >= SHORT_FRAMES ? CODED : CODED_SHORT;
  const payload = concatBytes([checkBytes(kind, plain), lm.encode([codes])[0]]);
  return payload.length < plain.length ? [kind, payload] : [PLAIN, plain];
}

/**
 * The codes of packets, all coded ones at once.
 *
 * @param header - of the stream.
 * @param packets - any of it.
 * @param lm - the language model, if there are coded packets.
 * @returns for each packet its codes, or the error that says why it has none.
 * @throws ModelMismatchError if a packet is coded, and the language model is another or is missing.
 */
export function readCodes(header: Header, packets: readonly Packet[], lm: PacketLM | null): (Codes | CorruptError)[] {
  const coded = packets.filter((packet) => packet.kind !== PLAIN);
  let decoded: Codes[] = [];
  if (coded.length) {
    if (lm === null) {
      throw new ModelMismatchError(
        `the stream is coded with a language model (fingerprint ${header.lmFingerprint}), and none is here`,
      );
    }
    header.checkLm(lm.fingerprint, lm.tableRule);
    const payloads = coded.map((packet) => packet.payload.subarray(CHECK_BYTES[packet.kind]));
    decoded = lm.decode(
      payloads,
      coded.map((packet) => [packet.codebooks, packet.frames] as const),
    );
  }
  const found = decoded[Symbol.iterator]();
  return packets.map((packet) =>
    packet.kind === PLAIN ? unpackCodes(header, packet) : checked(header, packet, found.next().value as Codes),
  );
}

function unpackCodes(header: Header, packet: Packet): Codes {
  const { codebooks, frames } = packet;
  return { codebooks, frames, data: bits.unpack(packet.payload, frames * codebooks, header.codeBits) };
}

function checked(header: Header, packet: Packet, codes: Codes): Codes | CorruptError {
  const check = checkBytes(packet.kind, bits.pack(codes.data, header.codeBits));
  if (check.every((byte, i) => packet.payload[i] === byte)) return codes;
  return new CorruptError(
    `the packet at frame ${Math.floor(packet.start / header.frameTicks)} decodes to other codes than were coded: ` +
      "the language model's tables differ",
  );
}

/** The last bytes of the checksum of the plain payload, as many as the kind of packet has. */
function checkBytes(kind: number, plain: Uint8Array): Uint8Array {
  const crc = crc32(plain);
  return Uint8Array.of((crc >>> 8) & 0xff, crc & 0xff).subarray(2 - CHECK_BYTES[kind]);
}
