/** WAVs of floating point, as the server sends them and as recordings of the microphone become files. */

/** Of the WAVs that are read and written here. */
export const HEADER_BYTES = 44;

/** Samples of a recording: one array for each channel. */
export interface Recording {
  readonly rate: number;
  readonly channels: Float32Array[];
}

/**
 * Read a WAV that the server made with `bits=32`: its header has 44 bytes, and samples follow to the end.
 *
 * @throws Error if it is another kind of WAV.
 */
export function readWav(file: ArrayBuffer): Recording {
  const view = new DataView(file);
  const isFloat = file.byteLength >= HEADER_BYTES && view.getUint16(20, true) === 3 && view.getUint16(34, true) === 32;
  if (!isFloat) throw new Error("the server's answer is not a WAV of floating point");
  const [count, rate] = [view.getUint16(22, true), view.getUint32(24, true)];
  const length = Math.floor((file.byteLength - HEADER_BYTES) / (4 * count));
  const channels = Array.from({ length: count }, () => new Float32Array(length));
  for (let i = 0; i < length; i++) {
    for (let c = 0; c < count; c++) channels[c][i] = view.getFloat32(HEADER_BYTES + 4 * (i * count + c), true);
  }
  return { rate, channels };
}

/** One channel as the bytes of a WAV of floating point. */
export function writeWav(pieces: readonly Float32Array<ArrayBuffer>[], rate: number): Blob {
  const size = pieces.reduce((sum, piece) => sum + 4 * piece.length, 0);
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  const text = (at: number, word: string): void => [...word].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + size, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 3, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 4 * rate, true);
  view.setUint16(32, 4, true);
  view.setUint16(34, 32, true);
  text(36, "data");
  view.setUint32(40, size, true);
  return new Blob([view.buffer, ...pieces], { type: "audio/wav" });
}
