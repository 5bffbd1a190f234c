/** Waveform and bitrate over time, drawn on a canvas. */

import type { Span } from "../wire/inspection.js";

const BINS = 2000;
const WAVE_SHARE = 0.7;

/** The loudest sample in each of many stretches of a recording. */
export class Peaks {
  readonly #peaks = new Float32Array(BINS);
  readonly #known = new Uint8Array(BINS);

  /** @param numSamples - of the recording, per channel. */
  constructor(readonly numSamples: number) {}

  /** Note the samples of the first channel from a position on. */
  add(samples: Float32Array, length: number, position: number): void {
    for (let i = 0; i < length; i++) {
      const bin = Math.floor(((position + i) / this.numSamples) * BINS);
      if (bin >= BINS) return;
      this.#known[bin] = 1;
      this.#peaks[bin] = Math.max(this.#peaks[bin], Math.abs(samples[i]));
    }
  }

  /** The loudest sample between two shares of the recording; `null` where nothing has been decoded yet. */
  between(begin: number, end: number): number | null {
    let found: number | null = null;
    for (let bin = Math.floor(begin * BINS); bin < Math.max(end * BINS, begin * BINS + 1) && bin < BINS; bin++) {
      if (this.#known[bin]) found = Math.max(found ?? 0, this.#peaks[bin]);
    }
    return found;
  }
}

/** What a picture shows. */
export interface Scene {
  readonly peaks: Peaks | null;
  readonly spans: readonly Span[];
  readonly durationS: number;
  /** What has been heard, as a share of the recording. */
  readonly played: number;
}

/** Bits per second of a packet, in kbps. */
export function kbpsOf(span: Span): number {
  return (8 * span.bytes) / 1000 / span.durationS;
}

/** Draw the waveform above the bitrate. */
export function draw(canvas: HTMLCanvasElement, scene: Scene): void {
  const ratio = globalThis.devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d");
  if (pen === null || width === 0) return;
  const style = getComputedStyle(canvas);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  pen.clearRect(0, 0, width, height);
  const middle = (height * WAVE_SHARE) / 2;
  for (let x = 0; x < width; x++) {
    const peak = scene.peaks?.between(x / width, (x + 1) / width) ?? null;
    pen.fillStyle = colour(peak === null ? "--faint" : x / width < scene.played ? "--accent" : "--wave");
    const half = Math.max(ratio / 2, Math.min(1, peak ?? 0) * middle);
    pen.fillRect(x, middle - half, 1, 2 * half);
  }
  drawRate(pen, scene, width, height, colour("--rate"));
}

function drawRate(
  pen: CanvasRenderingContext2D,
  { spans, durationS }: Scene,
  width: number,
  height: number,
  colour: string,
): void {
  const most = spans.reduce((rate, span) => Math.max(rate, kbpsOf(span)), 0);
  if (most === 0 || durationS === 0) return;
  const room = height * (1 - WAVE_SHARE) * 0.9;
  pen.fillStyle = colour;
  for (const span of spans) {
    const [left, right] = [span.startS / durationS, Math.min(1, (span.startS + span.durationS) / durationS)];
    const size = (kbpsOf(span) / most) * room;
    pen.fillRect(left * width, height - size, Math.max(1, (right - left) * width - 1), size);
  }
}
