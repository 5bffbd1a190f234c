/** The server's endpoints, as the pages use them. */

import { pause } from "./waiting.js";

const BUSY = 429;
const MOST_TRIES = 6; // of a request that the server has no time for
const [USUAL_WAIT_S, MOST_WAIT_S] = [2, 30];
const PROBE_MS = 5000;
const GONE = "the server does not answer: is it still running?";
const NO_ANSWER = "the server ended the connection without an answer (its terminal may say why)";
const CUT_OFF = "the server stopped within its answer";

/** What the server says of its model. */
export interface ServerModel {
  readonly name: string;
  readonly sampling_rate: number;
  readonly channels: number;
  readonly hop: number;
  readonly bandwidths: number[];
  readonly default_bandwidth: number;
  readonly decoders: ("spectral" | "encodec")[];
  readonly streamable: boolean;
  readonly limits: { readonly bytes: number; readonly seconds: number };
}

/** What came back, and how long that took in seconds. */
export interface Timed {
  readonly bytes: ArrayBuffer;
  readonly seconds: number;
}

/** The server refuses a request. The message is what people can do with, without advice for programs. */
export class Refusal extends Error {
  /**
   * @param message - in the server's words.
   * @param kind - the error's name, as in `docs/serve.md`; empty where the answer has none.
   */
  constructor(
    message: string,
    readonly kind: string,
  ) {
    super(message);
  }
}

/** How a request is made. */
export interface PostOptions {
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** Called when the server has no time now, with the seconds after which it is asked again. */
  readonly onBusy?: (seconds: number) => void;
}

/** What the server says of its model; errors as those of `get`. */
export async function fetchModel(): Promise<ServerModel> {
  return JSON.parse(new TextDecoder().decode(await get("/api/model"))) as ServerModel;
}

/**
 * Fetch a file of the server.
 *
 * @throws Refusal with the server's words, if it refuses; Error with a sentence that says so, if it does not answer or
 * does not give all of it.
 */
export async function get(path: string): Promise<ArrayBuffer> {
  return wholeOf(await reach(path, {}), `${path} did not come whole`);
}

/**
 * Send bytes to an endpoint. A server that has no time now is asked again a few times, when it says.
 *
 * @throws Error as `get`; AbortError if the signal says so.
 */
export async function post(path: string, body: Blob | ArrayBuffer, options: PostOptions = {}): Promise<Timed> {
  const { signal, onBusy } = options;
  for (let tries = 1; ; tries++) {
    const begin = performance.now();
    const response = await reach(path, { method: "POST", body, signal });
    if (response.status === BUSY && tries < MOST_TRIES) {
      const waitS = waitOf(response);
      onBusy?.(waitS);
      await pause(waitS, signal);
      continue;
    }
    const bytes = await wholeOf(response, "the recording is cut off or damaged");
    return { bytes, seconds: (performance.now() - begin) / 1000 };
  }
}

/** Seconds after which the server wants to be asked again. */
function waitOf(response: Response): number {
  const named = Number(response.headers.get("retry-after") ?? NaN); // a date, which it may be, is not a number
  return named >= 0 ? Math.min(named, MOST_WAIT_S) : USUAL_WAIT_S;
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    throw await reasonOf(error as Error, NO_ANSWER);
  }
}

/** All bytes of a good response. @throws Refusal with the server's words; Error with what a cut answer means. */
async function wholeOf(response: Response, meaning: string): Promise<ArrayBuffer> {
  if (!response.ok) throw await refusalOf(response);
  try {
    return await response.arrayBuffer();
  } catch (error) {
    throw await reasonOf(error as Error, `${CUT_OFF}: ${meaning} (its terminal says why)`);
  }
}

async function refusalOf(response: Response): Promise<Refusal> {
  try {
    const { error, message, reason = message } = (await response.json()) as Record<string, string>;
    return new Refusal(reason, error);
  } catch {
    return new Refusal(`the server says ${response.status}`, ""); // it was not JSON: the status has to do
  }
}

async function reasonOf(error: Error, alive: string): Promise<Error> {
  return error.name === "AbortError" ? error : whyNoAnswer(alive);
}

/**
 * Why a connection failed. Browsers have one error for all causes: whether the server still answers tells which it was.
 *
 * @param alive - what to say if the server answers.
 */
export async function whyNoAnswer(alive: string): Promise<Error> {
  try {
    await fetch("/api/model", { cache: "no-store", signal: AbortSignal.timeout(PROBE_MS) });
    return new Error(alive);
  } catch {
    return new Error(GONE);
  }
}
