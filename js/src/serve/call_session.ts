/** One side of a call: microphone to packets, packets to loudspeaker. */

import type { RemoteCodec } from "../worker/client.js";
import { Capture } from "./capture.js";
import { CallStats } from "./call_stats.js";
import type { Message, PacketMessage } from "./messages.js";
import { Playout } from "./playout.js";
import type { Room, RoomState } from "./room.js";

const ASK_MS = 1000;
const MOST_WAITING_S = 0.4; // of audio to encode or to decode; with more, this machine is too slow, and leaves some out

/** How this side codes. */
export interface CallOptions {
  readonly bandwidth: number;
  /** Frames in a packet. */
  readonly frames: number;
  readonly decoder: "spectral" | "encodec";
  readonly lm: boolean;
}

type Encoder = Awaited<ReturnType<RemoteCodec["encoder"]>>;
type Decoder = Awaited<ReturnType<RemoteCodec["decoder"]>>;

/** Milliseconds by this page's clock. */
export function clockMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Random numbers from 0 to 1, the same in every call, so that a loss can be heard again (mulberry32). */
function chances(): () => number {
  let state = 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A call in a room. */
export class CallSession {
  readonly stats: CallStats;
  /** Share of packets that is dropped on this side, so that one hears what that does. */
  loss = 0;
  /** Called when the other side comes, is ready, or goes. */
  onState: (state: RoomState) => void = () => undefined;
  /** Called when the call has ended, with the reason; `null` where this side has left. */
  onEnd: (reason: string | null) => void = () => undefined;
  #encoder: Encoder | null = null;
  #decoder: Decoder | null = null;
  #encoding: Promise<void> = Promise.resolve();
  #decoding: Promise<void> = Promise.resolve();
  readonly #mostWaiting: number;
  #toEncode = 0;
  #toDecode = 0;
  readonly #chance = chances();
  #captured = 0;
  #number = 0;
  #capture: Capture | null = null;
  #timer = 0;
  #ended = false;

  private constructor(
    readonly codec: RemoteCodec,
    readonly options: CallOptions,
    readonly room: Room,
    readonly playout: Playout,
  ) {
    this.stats = new CallStats(codec.model.config.sampling_rate);
    this.#mostWaiting = Math.max(2, Math.ceil(MOST_WAITING_S / playout.packetS));
  }

  /**
   * Open microphone and loudspeaker, and begin.
   *
   * @param room - in which this page has a place. It is not given back where this fails.
   * @throws Error if there is no microphone or no loudspeaker, or the room's connection has ended.
   */
  static async open(codec: RemoteCodec, options: CallOptions, room: Room): Promise<CallSession> {
    const { sampling_rate: rate, hop, channels } = codec.model.config;
    const samples = options.frames * hop;
    const playout = await Playout.create(rate, channels, samples / rate);
    const session = new CallSession(codec, options, room, playout);
    try {
      const onPiece = (piece: Float32Array): void => session.#heard(piece);
      session.#capture = await Capture.open({ samples, rate, call: true, onPiece });
      if (room.over !== null) throw new Error(room.over);
    } catch (error) {
      session.#capture?.close();
      playout.close();
      throw error;
    }
    return session;
  }

  /** Listen to the room, and tell the other page that this one is ready. */
  begin(): void {
    this.room.onMessage = (message) => this.#received(message);
    this.room.onState = (state) => this.#changed(state);
    this.room.onEnd = (reason) => this.leave(reason);
    this.#timer = window.setInterval(() => this.room.send({ kind: "ask", asked: clockMs(), answered: 0 }), ASK_MS);
    this.room.ready();
    this.#changed(this.room.state);
  }

  /** Whether this side sends silence. */
  mute(muted: boolean): void {
    this.#capture?.mute(muted);
  }

  /** End the call. */
  leave(reason: string | null = null): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    this.room.leave();
    this.#capture?.close();
    this.playout.close();
    this.#stopEncoder();
    this.#stopDecoder();
    this.onEnd(reason);
  }

  // ---- messages ----------------------------------------------------------------------------

  #changed(state: RoomState): void {
    if (state === "together") void this.#startEncoder();
    else this.#stopEncoder();
    if (state === "left") this.#stopDecoder();
    this.onState(state);
  }

  #received(message: Message): void {
    if (message.kind === "ask") this.room.send({ kind: "answer", asked: message.asked, answered: clockMs() });
    else if (message.kind === "answer") this.stats.answered(message.asked, message.answered, clockMs());
    else if (message.kind === "head") this.#startDecoder(message.bytes);
    else if (message.kind === "packet") this.#take(message);
  }

  // ---- this side's voice -------------------------------------------------------------------

  async #startEncoder(): Promise<void> {
    this.#stopEncoder();
    const { bandwidth, frames, lm } = this.options;
    const { sampling_rate: rate, hop } = this.codec.model.config;
    try {
      const encoder = await this.codec.encoder({ bandwidth, lm, packetS: (frames * hop) / rate });
      const bytes = await encoder.push(new Float32Array()); // the header alone
      this.room.send({ kind: "head", bytes });
      [this.#captured, this.#number, this.#encoder] = [0, 0, encoder];
    } catch (error) {
      this.leave(`Encoding failed: ${(error as Error).message}`);
    }
  }

  #stopEncoder(): void {
    void this.#encoder?.finish().catch(() => undefined); // so that the worker lets go of it
    this.#encoder = null;
  }

  #heard(piece: Float32Array): void {
    const encoder = this.#encoder;
    if (encoder === null) return;
    if (this.#toEncode >= this.#mostWaiting) {
      this.stats.leftOut += 1;
      return;
    }
    this.#toEncode += 1;
    this.#captured += piece.length;
    const origin = clockMs() - (1000 * this.#captured) / this.codec.model.config.sampling_rate;
    this.#encoding = this.#encoding.then(async () => {
      try {
        const begin = performance.now();
        const bytes = await encoder.push(piece);
        this.stats.encoded(performance.now() - begin, piece.length, bytes.length);
        if (bytes.length && encoder === this.#encoder) {
          this.room.send({ kind: "packet", number: this.#number++, origin, bytes });
        }
      } catch (error) {
        if (encoder === this.#encoder) this.leave(`Encoding failed: ${(error as Error).message}`);
      } finally {
        this.#toEncode -= 1;
      }
    });
  }

  // ---- the other's voice -------------------------------------------------------------------

  #startDecoder(head: Uint8Array): void {
    this.#stopDecoder();
    this.playout.restart();
    this.stats.restart();
    this.#decoding = this.#decoding.then(async () => {
      this.#decoder = await this.codec.decoder({ decoder: this.options.decoder, tolerant: true });
      await this.#decoder.push(head);
    });
  }

  #stopDecoder(): void {
    const decoder = this.#decoder;
    this.#decoder = null;
    void decoder?.finish().catch(() => undefined);
  }

  #take(packet: PacketMessage): void {
    const late = this.#toDecode >= this.#mostWaiting;
    const dropped = this.#chance() < this.loss;
    this.stats.received(packet.number, packet.bytes.length, dropped);
    if (late) this.stats.leftOut += 1;
    if (dropped || late) return;
    this.#toDecode += 1;
    this.#decoding = this.#decoding.then(async () => {
      try {
        const decoder = this.#decoder;
        if (decoder === null) return;
        const begin = performance.now();
        const samples = await decoder.push(packet.bytes);
        this.stats.decoded(performance.now() - begin, samples.length / this.playout.channels);
        if (decoder !== this.#decoder) return;
        this.playout.push(samples);
        const { context, position } = this.playout;
        this.stats.heard(packet.origin, position, clockMs() + 1000 * (context.outputLatency || context.baseLatency));
      } catch (error) {
        this.leave(`The other side's packets cannot be decoded: ${(error as Error).message}`);
      } finally {
        this.#toDecode -= 1;
      }
    });
  }
}
