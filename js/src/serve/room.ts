/** A room of the server, which two pages can be in: who is there, and what the other page sends. */

import { whyNoAnswer } from "./api.js";
import { read, write, type Message } from "./messages.js";
import { within } from "./waiting.js";

const JOIN_MS = 15_000;
const LOST = "The connection to the server was lost, and the call has ended. Join again when the server runs.";
const REFUSED = "the server does not let this page into the room (its terminal may say why)";
const SILENT = `the server has said nothing for ${JOIN_MS / 1000} s: it does not let this page into the room`;

/**
 * Who is there: this page alone; the other one too, which still loads its codec; both, ready to speak; this page alone
 * again.
 */
export type RoomState = "alone" | "loading" | "together" | "left";

/** A place in a room. It is taken before this page loads what a call needs, so that a full room is known at once. */
export class Room {
  /** Called with each message of the other page that is about the call itself. */
  onMessage: (message: Message) => void = () => undefined;
  /** Called when the state has changed. */
  onState: (state: RoomState) => void = () => undefined;
  /** Called when the connection has ended, with the reason. */
  onEnd: (reason: string) => void = () => undefined;
  readonly #socket: WebSocket;
  #told: "alone" | "together" | "left" | null = null;
  #thisReady = false;
  #otherReady = false;
  #over: string | null = null;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
  }

  /**
   * Take a place in a room.
   *
   * @throws Error if the server refuses, for example because two are there, or does not answer.
   */
  static async join(name: string): Promise<Room> {
    const url = new URL(`/call/${name}`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const room = new Room(new WebSocket(url));
    try {
      await within(JOIN_MS, room.#entered(), SILENT);
      return room;
    } catch (error) {
      room.leave();
      throw error;
    }
  }

  /** Who is there. */
  get state(): RoomState {
    if (this.#told !== "together") return this.#told ?? "alone";
    return this.#otherReady ? "together" : "loading";
  }

  /** Why the connection has ended; `null` as long as it has not. */
  get over(): string | null {
    return this.#over;
  }

  /** This page can take a call now: the other one is told, as soon as it is there. */
  ready(): void {
    this.#thisReady = true;
    if (this.#told === "together") this.send({ kind: "ready" });
  }

  /** Send a message to the other page. */
  send(message: Message): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(write(message));
  }

  /** Give the place back. */
  leave(): void {
    this.#socket.close();
  }

  /** Wait for the server's first word, and listen from then on. */
  async #entered(): Promise<void> {
    const refused = await new Promise<string | null>((resolve) => {
      this.#socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
        this.#take(data);
        resolve(null);
      };
      this.#socket.onclose = ({ reason }) => {
        this.#over = reason || LOST; // a server that refuses says why; one that stops says nothing
        resolve(reason);
        this.onEnd(this.#over);
      };
    });
    if (refused === null) return;
    throw refused ? new Error(refused) : await whyNoAnswer(REFUSED);
  }

  #take(data: string | ArrayBuffer): void {
    if (typeof data === "string") {
      this.#told = (JSON.parse(data) as { event: "alone" | "together" | "left" }).event;
      this.#otherReady = false;
      if (this.#thisReady) this.ready();
      this.onState(this.state);
      return;
    }
    const message = read(data);
    if (message === null) return;
    if (message.kind !== "ready") this.onMessage(message);
    else if (!this.#otherReady) {
      this.#otherReady = true;
      this.onState(this.state);
    }
  }
}
