/** What two pages of a call say to each other through the server, which only passes it on. Numbers are little-endian. */

/** The start of a stream: what comes before its first packet. */
export interface HeadMessage {
  readonly kind: "head";
  readonly bytes: Uint8Array;
}

/** Some of a stream's bytes, as a rule one packet. */
export interface PacketMessage {
  readonly kind: "packet";
  /** Counts the packets of a stream. */
  readonly number: number;
  /** When the stream's sample 0 was captured, by the sender's clock in milliseconds. */
  readonly origin: number;
  readonly bytes: Uint8Array;
}

/** A question, and its answer with the time at which it was asked: so each side learns the other's clock. */
export interface ClockMessage {
  readonly kind: "ask" | "answer";
  /** When it was asked, by the clock of whoever asks. */
  readonly asked: number;
  /** When it was answered, by the other's clock; 0 in a question. */
  readonly answered: number;
}

/** The sender has loaded its codec: it can take a stream, and sends one as soon as the other is ready too. */
export interface ReadyMessage {
  readonly kind: "ready";
}

/** Any message. */
export type Message = HeadMessage | PacketMessage | ClockMessage | ReadyMessage;

const KINDS: Message["kind"][] = ["head", "packet", "ask", "answer", "ready"];
const FRONT = { head: 1, packet: 13, ask: 17, answer: 17, ready: 1 };

/** A message as bytes. */
export function write(message: Message): Uint8Array<ArrayBuffer> {
  const front = FRONT[message.kind];
  const bytes = "bytes" in message ? message.bytes : new Uint8Array();
  const data = new Uint8Array(front + bytes.length);
  const view = new DataView(data.buffer);
  data[0] = KINDS.indexOf(message.kind);
  if (message.kind === "packet") {
    view.setUint32(1, message.number, true);
    view.setFloat64(5, message.origin, true);
  } else if ("asked" in message) {
    view.setFloat64(1, message.asked, true);
    view.setFloat64(9, message.answered, true);
  }
  data.set(bytes, front);
  return data;
}

/** Bytes as a message; `null` for bytes that are none. */
export function read(data: ArrayBuffer): Message | null {
  const kind = KINDS[new Uint8Array(data)[0]];
  if (kind === undefined || data.byteLength < FRONT[kind]) return null;
  const view = new DataView(data);
  const bytes = new Uint8Array(data, FRONT[kind]);
  if (kind === "ready") return { kind };
  if (kind === "head") return { kind, bytes };
  if (kind === "packet") return { kind, number: view.getUint32(1, true), origin: view.getFloat64(5, true), bytes };
  return { kind, asked: view.getFloat64(1, true), answered: view.getFloat64(9, true) };
}
