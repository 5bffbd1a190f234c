/** Pictures of recordings: frequency over time, loudness as colour. */

const SIZE = 1024; // samples of a window
const COLUMNS = 800;
const ROWS = 256;
const RANGE_DB = 80;
const STOPS = [
  [0, 0, 4],
  [59, 15, 112],
  [140, 41, 129],
  [222, 73, 104],
  [254, 159, 109],
  [252, 253, 191],
]; // of the colour map "magma" of matplotlib

/**
 * Draw the spectrogram of a recording's first channel; the canvas gets its own size in pixels, and CSS scales it.
 *
 * @param reference - loudest magnitude, so that two pictures can be compared; by default that of this recording.
 * @returns the loudest magnitude.
 */
export function drawSpectrogram(canvas: HTMLCanvasElement, samples: Float32Array, reference?: number): number {
  const columns = Math.max(1, Math.min(COLUMNS, Math.ceil(samples.length / (SIZE / 8))));
  const magnitudes = new Float32Array(columns * ROWS);
  const [real, imaginary] = [new Float32Array(SIZE), new Float32Array(SIZE)];
  const window = Float32Array.from({ length: SIZE }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));
  for (let x = 0; x < columns; x++) {
    const begin = Math.round(((x + 0.5) / columns) * samples.length - SIZE / 2);
    for (let i = 0; i < SIZE; i++) real[i] = (samples[begin + i] ?? 0) * window[i];
    imaginary.fill(0);
    transform(real, imaginary);
    for (let row = 0; row < ROWS; row++) {
      const bin = Math.floor((row * (SIZE / 2)) / ROWS);
      magnitudes[row * columns + x] = Math.max(magnitude(real, imaginary, bin), magnitude(real, imaginary, bin + 1));
    }
  }
  const most =
    reference ??
    Math.max(
      1e-9,
      magnitudes.reduce((a, b) => Math.max(a, b), 0),
    );
  paint(canvas, magnitudes, columns, most);
  return most;
}

function magnitude(real: Float32Array, imaginary: Float32Array, bin: number): number {
  return Math.hypot(real[bin], imaginary[bin]);
}

function paint(canvas: HTMLCanvasElement, magnitudes: Float32Array, columns: number, most: number): void {
  [canvas.width, canvas.height] = [columns, ROWS];
  const pen = canvas.getContext("2d") as CanvasRenderingContext2D;
  const image = pen.createImageData(columns, ROWS);
  for (let row = 0; row < ROWS; row++) {
    for (let x = 0; x < columns; x++) {
      const db = 20 * Math.log10(Math.max(1e-12, magnitudes[row * columns + x] / most));
      const colour = colourOf(Math.min(1, Math.max(0, 1 + db / RANGE_DB)));
      image.data.set([...colour, 255], 4 * ((ROWS - 1 - row) * columns + x));
    }
  }
  pen.putImageData(image, 0, 0);
}

function colourOf(share: number): number[] {
  const at = share * (STOPS.length - 1);
  const low = Math.min(STOPS.length - 2, Math.floor(at));
  return STOPS[low].map((value, i) => value + (at - low) * (STOPS[low + 1][i] - value));
}

/** The discrete Fourier transform, in place: the iterative algorithm of Cooley and Tukey. */
export function transform(real: Float32Array, imaginary: Float32Array): void {
  const size = real.length;
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let span = 2; span <= size; span *= 2) {
    for (let k = 0; k < span / 2; k++) {
      const [cos, sin] = [Math.cos((-2 * Math.PI * k) / span), Math.sin((-2 * Math.PI * k) / span)];
      for (let at = k; at < size; at += span) {
        const other = at + span / 2;
        const [re, im] = [real[other] * cos - imaginary[other] * sin, real[other] * sin + imaginary[other] * cos];
        [real[other], imaginary[other]] = [real[at] - re, imaginary[at] - im];
        [real[at], imaginary[at]] = [real[at] + re, imaginary[at] + im];
      }
    }
  }
}
