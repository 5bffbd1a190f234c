/** A server with the built pages of `recodec serve` whose answers a test chooses: refused, late, cut off, or none. */

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { write, type Message } from "../src/serve/messages.js";
import { writeWav } from "../src/serve/wav.js";

const PAGES = fileURLToPath(new URL("../dist/serve/", import.meta.url));
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
const KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // of RFC 6455

/** The model of which the server speaks. */
export const MODEL = {
  name: "fake",
  sampling_rate: 24_000,
  channels: 1,
  hop: 320,
  bandwidths: [3, 6],
  default_bandwidth: 6,
  decoders: ["spectral", "encodec"],
  streamable: true,
  limits: { bytes: 100_000_000, seconds: 3600 },
};

/** A request that came. */
export interface Seen {
  readonly path: string;
  readonly body: Buffer;
}

/** Answers a request. */
export type Answer = (seen: Seen, response: ServerResponse) => void;

/** A tone as the server sends it. */
export async function tone(seconds: number): Promise<Buffer> {
  const samples = Float32Array.from({ length: Math.round(24_000 * seconds) }, (_, i) => 0.1 * Math.sin(i / 5));
  return Buffer.from(await writeWav([samples], 24_000).arrayBuffer());
}

/** An answer of bytes or of JSON. */
export function good(body: Buffer | object): Answer {
  const data = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  return (_, response) => void response.writeHead(200).end(data);
}

/** A refusal in the server's form. */
export function refusal(status: number, error: string, message: string, retryAfter?: string): Answer {
  const headers = retryAfter === undefined ? {} : { "retry-after": retryAfter };
  return (_, response) => void response.writeHead(status, headers).end(JSON.stringify({ error, message }));
}

/** An answer that ends before it is whole. */
export function cut(body: Buffer): Answer {
  return (_, response) => {
    response.writeHead(200).write(body.subarray(0, 1000));
    setTimeout(() => response.destroy(), 50);
  };
}

/** A worker that takes a model's calls, and codes nothing: each `push` takes as long as it is told. */
export function fakeWorker(pushMs: number): Answer {
  const script = `onmessage = async ({ data: { id, method } }) => {
    if (method === "push") await new Promise((resolve) => setTimeout(resolve, ${pushMs}));
    const config = { sampling_rate: ${MODEL.sampling_rate}, channels: 1, hop: ${MODEL.hop} };
    const values = { load: { config }, openEncoder: 1, openDecoder: 2 };
    postMessage({ id, value: values[method] ?? new Uint8Array() });
  };`;
  return (_, response) => void response.writeHead(200, { "content-type": "text/javascript" }).end(script);
}

/** The server, what it was asked, and how it answers: a list is used up from its start, and its last one stays. */
export class FakeServer {
  readonly seen: Seen[] = [];
  readonly answers: Record<string, Answer[]> = { "/api/model": [good(MODEL)] };
  /** With which code and reason a call is refused; `null` where the page is let into the room. */
  refuse: readonly [number, string] | null = [4001, "two are in this room already: choose another name"];
  #room: Duplex | null = null;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on("upgrade", (request, socket) => {
      this.seen.push({ path: request.url ?? "", body: Buffer.alloc(0) });
      const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${KEY}`).digest("base64");
      const head = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${head}`);
      socket.on("error", () => undefined); // the page may go first
      this.#room = socket;
      if (this.refuse === null) this.tell("alone");
      else this.endCall(...this.refuse);
    });
  }

  /** Tell the page in the room who is there. */
  tell(event: "alone" | "together" | "left"): void {
    this.#send(0x81, Buffer.from(JSON.stringify({ event })));
  }

  /** Send a message of the other page. */
  send(message: Message): void {
    this.#send(0x82, Buffer.from(write(message)));
  }

  /** End the connection of a call. */
  endCall(code: number, reason = ""): void {
    this.#send(0x88, Buffer.from([code >> 8, code & 255, ...Buffer.from(reason)]));
    this.#room?.end();
  }

  /** Break the connection of a call without a word. */
  breakCall(): void {
    this.#room?.destroy();
  }

  #send(kind: number, body: Buffer): void {
    this.#room?.write(Buffer.from([kind, body.length, ...body])); // bodies are shorter than 126 bytes
  }

  /** Listen; the address of the page. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Go, as a server that is stopped. */
  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Paths that were asked for. */
  get paths(): string[] {
    return this.seen.map(({ path }) => path);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    try {
      for await (const part of request) parts.push(part as Buffer);
    } catch {
      return; // the page has gone before its request was here
    }
    const path = request.url ?? "/";
    const seen = { path, body: Buffer.concat(parts) };
    this.seen.push(seen);
    const list = this.answers[path.split("?")[0]];
    if (list !== undefined) (list.length > 1 ? list.shift()! : list[0])(seen, response);
    else this.#file(path, response);
  }

  #file(path: string, response: ServerResponse): void {
    const name = { "/": "index.html", "/call": "call.html" }[path] ?? path.slice(1);
    if (name.includes("/") || !existsSync(PAGES + name)) response.writeHead(404).end();
    else response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "" }).end(readFileSync(PAGES + name));
  }
}
