/** A network fed in pieces of any size, by graphs that take whole units only. State is a value. */

import type * as ort from "onnxruntime-web/wasm";
import { ConfigError } from "../errors.js";
import type { StreamPlan } from "./manifest.js";
import { columns, joined, planarOf, tensorOf, type Audio, type Planar } from "./planar.js";
import type { Feed, Session, Sessions } from "./sessions.js";

const NEXT = ".next"; // after the name of a state, in a graph's outputs

/** State of a stream: input that no push has consumed yet, and what the graph carries from push to push. */
export interface StreamState {
  readonly held: Planar | null;
  readonly past: Feed | null;
}

/** A stream that has seen nothing. */
export const FRESH: StreamState = { held: null, past: null };

/** Encoder or decoder of a model. */
export class StreamedNetwork {
  readonly #plan: StreamPlan;

  /**
   * @param sessions - of the model.
   * @param part - the network's name.
   * @param ends - names of what it takes and what it makes.
   * @param nothing - (C, 0), what it makes of nothing.
   */
  constructor(
    readonly sessions: Sessions,
    readonly part: string,
    readonly ends: readonly [string, string],
    readonly nothing: Audio,
  ) {
    const { plan } = sessions.assets.manifest.networks[part];
    this.#plan = plan ?? { unit: 1, first: 1, start: "whole", tail: false, flush: false };
  }

  /** The outputs for an input that is all of its stream; `others` are further inputs by name. */
  async whole(x: Planar, others: Feed = {}): Promise<ort.InferenceSession.OnnxValueMapType> {
    const session = await this.sessions.get(this.part, "whole");
    return session.run({ ...others, [this.ends[0]]: tensorOf(x) });
  }

  /** Push a piece of any size; gives what has become final, and the next state. */
  async step(piece: Planar, state: StreamState, last: boolean, others: Feed = {}): Promise<[Audio, StreamState]> {
    const { unit, tail, first } = this.#plan;
    const x = state.held?.length ? join(state.held, piece) : piece;
    if (last) return [await this.#finish(x, state.past, others), FRESH];
    const units = Math.floor(x.length / unit) - (tail ? 1 : 0);
    if (units < (state.past === null ? first : 1)) return [this.nothing, { held: x, past: state.past }];
    const [y, past] = await this.#run(columns(x, 0, units * unit), state.past, others);
    return [y, { held: columns(x, units * unit, x.length), past }];
  }

  async #finish(x: Planar, past: Feed | null, others: Feed): Promise<Audio> {
    const { unit, tail, flush, start } = this.#plan;
    if (x.length === 0 && (past === null || !flush)) return this.nothing;
    if (past === null && start !== "step") return planarOf((await this.whole(x, others))[this.ends[1]] as ort.Tensor);
    if (x.length % unit === 0 && !tail && !flush) return (await this.#run(x, past, others))[0];
    const session = await this.sessions.get(this.part, "end");
    const out = await session.run(this.#feed(x, past ?? (await this.#step()).zeros(), others));
    return planarOf(out[this.ends[1]] as ort.Tensor);
  }

  /** Push whole units into a stream that goes on. */
  async #run(x: Planar, before: Feed | null, others: Feed): Promise<[Audio, Feed]> {
    const starts = before === null && this.#plan.start !== "step"; // the first sound waits for that one graph
    const session = starts ? await this.sessions.get(this.part, this.#plan.start) : await this.#step();
    const past = starts ? {} : (before ?? session.zeros());
    const out = await session.run(this.#feed(x, past, others));
    const after = Object.keys(out)
      .filter((name) => name.endsWith(NEXT))
      .map((name) => [name.slice(0, -NEXT.length), out[name] as ort.Tensor]);
    return [planarOf(out[this.ends[1]] as ort.Tensor), Object.fromEntries(after)];
  }

  #feed(x: Planar, past: Feed, others: Feed): Feed {
    return { ...past, ...others, [this.ends[0]]: tensorOf(x) };
  }

  #step(): Promise<Session> {
    return this.sessions.get(this.part, "step");
  }
}

function join(held: Planar, x: Planar): Planar {
  if (held.rows !== x.rows) {
    throw new ConfigError(`a stream of ${held.rows} codebooks goes on with ${x.rows} before its first output`);
  }
  return joined([held, x]);
}
