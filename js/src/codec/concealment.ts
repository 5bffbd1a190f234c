/** Packets to audio in step with their stream's time, what is lost included; `docs/bitstream.md`, "Players". */

import { columns } from "../engine/planar.js";
import type { Decoder } from "../engine/engine.js";
import type { Audio } from "../engine/planar.js";
import type { Codes } from "../wire/codes.js";
import { framesOf } from "../wire/codes.js";
import type { Header } from "../wire/header.js";
import { endOf, nextStart, type Packet } from "../wire/packets.js";
import type { Lost } from "../wire/timeline.js";
import { blockDecoder, type BlockDecoder } from "./blocks.js";

const REPEATED_FRAMES = 4;
const CONTINUED_S = 0.2;
const FADE_S = 0.1;
const RISE_S = 0.01;
const PIECE_SAMPLES = 1 << 15;

/**
 * Decodes the packets of one stream in order; where some are missing it conceals that.
 *
 * A gap of up to 0.2 s is filled by the decoder itself, which is given the last frames again and again; over 0.1 s that
 * fades to silence, and from the next packet on the sound comes back within 0.01 s. A longer gap is silent after the
 * fade, and the decoder starts anew after it. Models that decode segments or whole recordings have silence in a gap.
 */
export class ConcealingDecoder {
  /** Samples per channel that were concealed so far. */
  lostSamples = 0;
  #decoder: BlockDecoder;
  #first: number;
  #last: Packet | null = null;
  #frames: Codes | null = null;
  #made: number;
  readonly #gain: Gain;

  /**
   * @param header - of the stream.
   * @param decoder - of the model.
   * @param gridFrames - frames that a causal model takes at once.
   * @param first - where the audio begins, in ticks.
   */
  constructor(
    readonly header: Header,
    readonly decoder: Decoder,
    readonly gridFrames: number,
    first = 0,
  ) {
    this.#decoder = this.#fresh();
    this.#first = first;
    this.#made = first * header.tick;
    this.#gain = new Gain(header.samplingRate);
  }

  /** The next packet and its codes, to audio (C, T) in pieces. */
  async *push(packet: Packet, codes: Codes): AsyncGenerator<Audio> {
    yield* this.#fill(this.#expected(packet), packet.start);
    if (packet.restart) {
      // The segment before the last may reach a little beyond the end of the last: up to where this one begins.
      const begin = packet.start * this.header.tick;
      yield this.#shaped(upTo(await this.#decoder.finish(), begin - this.#made));
      this.#decoder = this.#fresh();
    }
    this.#last = packet;
    this.#frames = framesOf(codes, Math.max(0, codes.frames - REPEATED_FRAMES), codes.frames);
    yield this.#shaped(await this.#decoder.push({ codes, scale: packet.scale }));
  }

  /** What is missing, to audio (C, T) in pieces in its place. */
  async *lose(lost: Lost): AsyncGenerator<Audio> {
    yield* this.#fill(lost.start, lost.stop);
    this.#first = Math.max(lost.stop, this.#expected(null));
    this.#last = null;
  }

  /** The stream ends at a tick: the rest of its audio (C, T) in pieces. */
  async *end(at: number): AsyncGenerator<Audio> {
    yield* this.#fill(this.#expected(null), at);
    yield await this.finish();
  }

  /** What the decoder still holds, (C, T). */
  async finish(): Promise<Audio> {
    return this.#shaped(await this.#decoder.finish());
  }

  /** Where that packet, or the end, should begin, in ticks. */
  #expected(packet: Packet | null): number {
    if (this.#last === null) return this.#first;
    const goesOn = packet !== null && !packet.restart;
    return goesOn ? nextStart(this.header, this.#last) : endOf(this.header, this.#last);
  }

  async *#fill(begin: number, stop: number): AsyncGenerator<Audio> {
    if (stop <= begin) return;
    const { tick, samplingRate: rate, channels } = this.header;
    this.lostSamples += (stop - begin) * tick;
    const resume = stop * tick;
    const short = (stop - begin) * tick <= CONTINUED_S * rate;
    if (this.#frames !== null && this.decoder.config.streamable) {
      this.#gain.dip(begin * tick, resume);
      const count = short ? stop - begin : Math.ceil(Math.round(FADE_S * rate) / tick);
      yield this.#shaped(await this.#decoder.push({ codes: repeated(this.#frames, count), scale: null }));
      if (short) return;
    }
    const tail = upTo(await this.#decoder.finish(), resume - this.#made);
    const end = this.#made + tail.length;
    this.#gain.dip(Math.min(end, Math.max(this.#made, end - Math.round(FADE_S * rate))), resume);
    yield this.#shaped(tail);
    this.#decoder = this.#fresh();
    this.#frames = null;
    while (this.#made < resume) {
      const length = Math.min(PIECE_SAMPLES, resume - this.#made);
      yield this.#shaped({ rows: channels, length, data: new Float32Array(channels * length) });
    }
  }

  #fresh(): BlockDecoder {
    return blockDecoder(this.decoder, this.gridFrames);
  }

  #shaped(audio: Audio): Audio {
    const shaped = this.#gain.apply(audio, this.#made);
    this.#made += audio.length;
    return shaped;
  }
}

/** The first samples of audio, so many at most. */
function upTo(audio: Audio, length: number): Audio {
  return columns(audio, 0, Math.max(0, Math.min(audio.length, length)));
}

/** The last frames again and again, so many in all. */
function repeated(frames: Codes, count: number): Codes {
  const { codebooks, data: from } = frames;
  const data = Int32Array.from({ length: count * codebooks }, (_, i) => from[i % from.length]);
  return { codebooks, frames: count, data };
}

/** A gain over time: 1, but for dips of straight lines. */
class Gain {
  readonly #fade: number;
  readonly #rise: number;
  #points: [number, number][] = [];

  constructor(rate: number) {
    this.#fade = FADE_S * rate;
    this.#rise = RISE_S * rate;
  }

  /** Fall from a sample on, and rise again from another on. */
  dip(begin: number, resume: number): void {
    const gain = this.#at(begin);
    const bottom = begin + gain * this.#fade;
    const low: [number, number][] =
      bottom < resume
        ? [
            [bottom, 0],
            [resume, 0],
          ]
        : [[resume, gain - (resume - begin) / this.#fade]];
    const before = this.#points.filter((point) => point[0] < begin);
    this.#points = [...before, [begin, gain], ...low, [resume + this.#rise, 1]];
  }

  /** Scale (C, T) samples that begin at a sample. */
  apply(audio: Audio, start: number): Audio {
    if (this.#points.length === 0) return audio;
    const { rows, length } = audio;
    const data = new Float32Array(audio.data);
    for (let i = 0; i < length; i++) {
      const gain = Math.fround(this.#at(start + i));
      if (gain !== 1) for (let row = 0; row < rows; row++) data[row * length + i] *= gain;
    }
    if (start > this.#points[this.#points.length - 1][0]) this.#points = [];
    return { rows, length, data };
  }

  #at(sample: number): number {
    const points = this.#points;
    if (points.length === 0) return 1;
    let next = points.findIndex((point) => point[0] > sample);
    if (next < 0) next = points.length;
    if (next === 0) return points[0][1];
    const [x, y] = points[next - 1];
    if (next === points.length) return y;
    const slope = (points[next][1] - y) / (points[next][0] - x);
    return slope * (sample - x) + y;
  }
}
