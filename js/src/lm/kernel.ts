/** `lm.wasm`: the exact language model, its tables and the range coder, compiled from `src/recodec/lm/native/`. */

import { CheckpointError, RecodecError } from "../errors.js";
import lmWasm from "../../../src/recodec/lm/native/lm.wasm";
import type { Tensor } from "./safetensors.js";

/** Sizes of a language model, in the order in which the kernel takes them. */
export interface LMSizes {
  readonly codebooks: number;
  readonly symbols: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly feed_forward: number;
  /** Frames before the current one that it looks at. */
  readonly past: number;
  /** Width of the hidden layer of each codebook's head; 0 for none. */
  readonly head_width: number;
  /** 1 if a codebook sees those before it in its own frame. */
  readonly conditioned: number;
}

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly __heap_base: WebAssembly.Global;
  lm_model_bytes(sizes: number): number;
  lm_load(sizes: number, tensors: number, memory: number): number;
  lm_state_bytes(model: number, streams: number, frames: number): number;
  lm_start(model: number, state: number, streams: number, frames: number): number;
  lm_payload(state: number, stream: number, payload: number, length: number): number;
  lm_decode(...args: number[]): number;
  lm_intervals(...args: number[]): number;
  lm_range_encode(starts: number, freqs: number, count: number, out: number): number;
}

const PAGE = 1 << 16;
const CALL_ROWS = 512;

/** Type and shape of every tensor, in the order in which the kernel takes them; `null` for one that is not there. */
function specsOf(s: LMSizes): [string, string, number[]][] {
  const [k, n, d] = [s.codebooks, s.symbols, s.width];
  const logitsIn = s.head_width || d;
  const specs: [string, string, number[]][] = [
    ["embed", "I8", [k, n, d]],
    ["embed.shift", "I8", [k, n]],
    ["condition", s.conditioned ? "I8" : "", [k, n, d]],
    ["condition.shift", s.conditioned ? "I8" : "", [k, n]],
    ["logits", "I8", [k, n, logitsIn]],
    ["logits.shift", "I8", [k, n]],
    ["start", "I16", [d]],
    ["bias", "I32", [k, n]],
    ["score_shift", "I8", [k]],
    ["hidden", s.head_width ? "I16" : "", [k, d, s.head_width]],
    ["hidden.shift", s.head_width ? "I8" : "", [k, s.head_width]],
  ];
  for (let i = 0; i < s.layers; i++) specs.push(...layerSpecs(s, `layers.${i}.`));
  return specs;
}

function layerSpecs(s: LMSizes, layer: string): [string, string, number[]][] {
  const products: [string, number, number][] = [
    ["query_key_value", s.width, 3 * s.width],
    ["out", s.width, s.width],
    ["up", s.width, s.feed_forward],
    ["down", s.feed_forward, s.width],
  ];
  return [
    ...products.flatMap(([name, inputs, outputs]): [string, string, number[]][] => [
      [`${layer}${name}`, "I16", [inputs, outputs]],
      [`${layer}${name}.shift`, "I8", [outputs]],
    ]),
    [`${layer}distance`, "I32", [s.heads, s.past + 1]],
    [`${layer}score_shift`, "I8", [s.heads]],
  ];
}

/**
 * A language model in the memory of a module of its own.
 *
 * Calls do not overlap: what one puts into memory above the model, the next one writes over.
 */
export class Kernel {
  readonly #wasm: Exports;
  readonly #model: number;
  #top: number;

  private constructor(wasm: Exports, sizes: LMSizes, tensors: ReadonlyMap<string, Tensor>) {
    this.#wasm = wasm;
    this.#top = wasm.__heap_base.value as number;
    const numbers = [sizes.codebooks, sizes.symbols, sizes.width, sizes.layers, sizes.heads, sizes.feed_forward];
    numbers.push(sizes.past, sizes.head_width, sizes.conditioned);
    const at = this.#putIntegers(Int32Array.from(numbers));
    const size = wasm.lm_model_bytes(at) >>> 0;
    if (size === 0) throw new CheckpointError("the language model is larger than any that the compiled kernel takes");
    this.#model = this.#take(size);
    const kept = this.#top;
    const pointers = specsOf(sizes).map(([name, type, shape]) => this.#putTensor(tensors, name, type, shape));
    if (wasm.lm_load(at, this.#putIntegers(Int32Array.from(pointers)), this.#model)) {
      throw new CheckpointError("the language model's numbers could leave the range of exact arithmetic");
    }
    this.#top = kept; // the kernel has laid the tensors out anew
  }

  /**
   * Start the module and load a model.
   *
   * @throws CheckpointError if the tensors do not fit the sizes, or could leave the range of exact arithmetic.
   */
  static async load(sizes: LMSizes, tensors: ReadonlyMap<string, Tensor>): Promise<Kernel> {
    const { instance } = await WebAssembly.instantiate(lmWasm as BufferSource as ArrayBuffer);
    return new Kernel(instance.exports as unknown as Exports, sizes, tensors);
  }

  /**
   * Decode packets of one number of codebooks side by side.
   *
   * @param payloads - at least one.
   * @param lengths - frames of each, the longest first.
   * @returns of each its (F * K,) codes.
   */
  decode(payloads: readonly Uint8Array[], codebooks: number, lengths: readonly number[]): Int32Array[] {
    const kept = this.#top;
    const codes = lengths.map((frames) => new Int32Array(frames * codebooks));
    const state = this.#start(payloads.length, lengths[0]);
    payloads.forEach((payload, p) => {
      this.#check(this.#wasm.lm_payload(state, p, this.#put(payload), payload.length));
    });
    const out = this.#take(4 * CALL_ROWS * codebooks);
    let first = 0;
    for (let streams = payloads.length; streams > 0; streams--) {
      while (first < lengths[streams - 1]) {
        const count = Math.min(Math.max(1, Math.floor(CALL_ROWS / streams)), lengths[streams - 1] - first);
        this.#check(this.#wasm.lm_decode(this.#model, state, streams, codebooks, count, out));
        for (let p = 0; p < streams; p++) {
          codes[p].set(this.#integers(out + 4 * p * count * codebooks, count * codebooks), first * codebooks);
        }
        first += count;
      }
    }
    this.#top = kept;
    return codes;
  }

  /**
   * Code one packet.
   *
   * @param codes - (F * K,), each from 0 to the number of symbols - 1, F at least 1.
   */
  encode(codes: Int32Array, codebooks: number): Uint8Array {
    const kept = this.#top;
    const frames = codes.length / codebooks;
    const state = this.#start(1, frames);
    const [starts, freqs] = [this.#take(4 * codes.length), this.#take(4 * codes.length)];
    const part = this.#take(4 * CALL_ROWS * codebooks);
    for (let first = 0; first < frames; first += CALL_ROWS) {
      const count = Math.min(CALL_ROWS, frames - first);
      const at = first * codebooks;
      this.#integers(part, count * codebooks).set(codes.subarray(at, at + count * codebooks));
      const args = [this.#model, state, 1, codebooks, count, part, starts + 4 * at, freqs + 4 * at, 0];
      this.#check(this.#wasm.lm_intervals(...args));
    }
    const out = this.#take(2 * codes.length + 6);
    const size = this.#wasm.lm_range_encode(starts, freqs, codes.length, out);
    if (size < 0) this.#check(size);
    const payload = new Uint8Array(this.#wasm.memory.buffer, out, size).slice();
    this.#top = kept;
    return payload;
  }

  #start(streams: number, frames: number): number {
    const state = this.#take(this.#wasm.lm_state_bytes(this.#model, streams, frames) >>> 0);
    this.#check(this.#wasm.lm_start(this.#model, state, streams, frames));
    return state;
  }

  #check(code: number): void {
    if (code) {
      throw new RecodecError(`the compiled language model refuses its arguments (${code}): this is a fault of Recodec`);
    }
  }

  // ---- memory ------------------------------------------------------------------------------

  #take(bytes: number): number {
    const at = (this.#top + 63) & ~63;
    this.#top = at + bytes;
    const missing = this.#top - this.#wasm.memory.buffer.byteLength;
    if (missing > 0) {
      try {
        this.#wasm.memory.grow(Math.ceil(missing / PAGE));
      } catch {
        throw new RecodecError(
          `there is no memory for the language model: it needs ${Math.ceil(missing / 1e6)} MB more`,
        );
      }
    }
    return at;
  }

  #put(bytes: Uint8Array): number {
    const at = this.#take(bytes.length);
    new Uint8Array(this.#wasm.memory.buffer).set(bytes, at);
    return at;
  }

  #putIntegers(numbers: Int32Array): number {
    return this.#put(new Uint8Array(numbers.buffer));
  }

  /** Where a tensor lies, after a look at its type and shape; 0 for one that the sizes do not ask for. */
  #putTensor(tensors: ReadonlyMap<string, Tensor>, name: string, type: string, shape: number[]): number {
    if (!type) return 0;
    const found = tensors.get(name);
    if (found === undefined || found.type !== type || found.shape.join() !== shape.join()) {
      const what = found === undefined ? "nothing" : `${found.type} (${found.shape.join(", ")})`;
      throw new CheckpointError(`${name} must be ${type} (${shape.join(", ")}), got ${what}`);
    }
    return this.#put(found.bytes);
  }

  #integers(at: number, count: number): Int32Array {
    return new Int32Array(this.#wasm.memory.buffer, at, count);
  }
}
