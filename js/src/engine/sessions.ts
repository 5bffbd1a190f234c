/** Sessions of onnxruntime-web, each made when it is first needed: one thread, no special headers. */

import * as ort from "onnxruntime-web/wasm";
import { CheckpointError } from "../errors.js";
import { request, type Assets } from "./assets.js";
import { expandWeights } from "./float16.js";

const RUNTIME_NAME = "ort-wasm-simd-threaded.wasm";
const SIGNALS = ["audio", "latents", "codes", "scale", "condition"];

/** Tensors by name. */
export type Feed = Record<string, ort.Tensor>;

/** A graph ready to run. */
export class Session {
  readonly #session: ort.InferenceSession;
  readonly #lock: Lock;
  /** Names and shapes, for one stream, of the states that it takes. */
  readonly states: readonly (readonly [string, readonly number[]])[];

  constructor(session: ort.InferenceSession, lock: Lock) {
    this.#session = session;
    this.#lock = lock;
    this.states = session.inputMetadata
      .filter((value) => value.isTensor && !SIGNALS.includes(value.name))
      .map((value) => {
        const shape = value.isTensor ? value.shape : [];
        return [value.name, shape.map((size) => (typeof size === "number" ? size : 1))] as const;
      });
  }

  /** Tensors by name in, tensors by name out. */
  run(feed: Feed): Promise<ort.InferenceSession.OnnxValueMapType> {
    return this.#lock.run(() => this.#session.run(feed));
  }

  /** The states of a stream whose past is silence. */
  zeros(): Feed {
    const size = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);
    return Object.fromEntries(
      this.states.map(([name, shape]) => [name, new ort.Tensor("float32", new Float32Array(size(shape)), shape)]),
    );
  }
}

/** Lets one caller in at a time: the runtime has one thread, and refuses a second call. */
class Lock {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work, work);
    this.#last = next.catch(() => undefined);
    return next;
  }
}

/** The runtime is one for all models of a page, and so is its lock. */
const LOCK = new Lock();

/** Makes and keeps the sessions of one model. */
export class Sessions {
  readonly #sessions = new Map<string, Promise<Session>>();
  readonly #weights = new Map<string, Promise<Float32Array>>();
  readonly #wasm: string | undefined;

  /**
   * @param assets - of the model.
   * @param runtime - folder of the runtime's `.wasm` file; `undefined` for where onnxruntime-web looks.
   */
  constructor(
    readonly assets: Assets,
    runtime?: string,
  ) {
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = "error";
    if (runtime === undefined) return;
    this.#wasm = `${runtime.replace(/\/$/, "")}/${RUNTIME_NAME}`;
    ort.env.wasm.wasmPaths = { wasm: this.#wasm };
  }

  /**
   * The session of a network's graph.
   *
   * @param part - the network: "encoder", "decoder", "quantizer" or "spectral".
   * @param phase - of the stream, or the number of codebooks.
   * @throws CheckpointError if its files cannot be had, or the runtime refuses them.
   */
  get(part: string, phase: string): Promise<Session> {
    return kept(this.#sessions, `${part}.${phase}`, () => this.#make(part, phase));
  }

  /** The weights of a network in single precision. */
  weights(part: string): Promise<Float32Array> {
    return kept(this.#weights, part, async () => {
      const { halves, singles } = this.assets.manifest.weights[part];
      const file = await this.assets.get(`${part}.weights`);
      if (file.length !== 2 * halves + 4 * singles) {
        throw new CheckpointError(`${part}.weights has ${file.length} bytes, not those of its numbers`);
      }
      return expandWeights(file, halves, singles);
    });
  }

  async #make(part: string, phase: string): Promise<Session> {
    const files = this.assets.manifest.networks[part];
    const graph = files.graphs[phase];
    if (graph === undefined) throw new CheckpointError(`the model's ${part} has no graph for "${phase}"`);
    const weights = files.weights.map(async (path) => {
      const numbers = await this.weights(path);
      return { path, data: new Uint8Array(numbers.buffer) };
    });
    const [bytes, ...externalData] = await Promise.all([this.assets.get(graph), ...weights]);
    try {
      const session = await LOCK.run(() =>
        ort.InferenceSession.create(bytes, {
          executionProviders: ["wasm"],
          graphOptimizationLevel: "all",
          externalData,
        }),
      );
      return new Session(session, LOCK);
    } catch (error) {
      await this.#checkRuntime();
      throw new CheckpointError(`onnxruntime-web cannot run ${graph}: ${(error as Error).message}`);
    }
  }

  /**
   * After a failure, make sure that it was not for want of the runtime, of which onnxruntime-web says little.
   *
   * @throws CheckpointError if the runtime's file is not where it should be.
   */
  async #checkRuntime(): Promise<void> {
    if (this.#wasm === undefined || !/^https?:/.test(this.#wasm)) return;
    try {
      await (await request(new URL(this.#wasm))).body?.cancel();
    } catch (error) {
      const advice = "It is the runtime of onnxruntime-web: put it there, and load the page again";
      throw new CheckpointError(`${(error as Error).message}. ${advice}`);
    }
  }
}

/** The value of a key, made once; a failure is forgotten, so that one may try again. */
function kept<T>(map: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let found = map.get(key);
  if (found === undefined) {
    found = make();
    map.set(key, found);
    found.catch(() => map.delete(key));
  }
  return found;
}
