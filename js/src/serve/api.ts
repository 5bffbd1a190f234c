/** The server's endpoints, as the page uses them. */

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

/** What the server says of its model. */
export async function fetchModel(): Promise<ServerModel> {
  return (await checked(await fetch("/api/model"))).json() as Promise<ServerModel>;
}

/**
 * Send bytes to an endpoint.
 *
 * @throws Error with the server's words, if it refuses them; AbortError if the signal says so.
 */
export async function post(path: string, body: Blob | ArrayBuffer, signal?: AbortSignal): Promise<Timed> {
  const begin = performance.now();
  const response = await checked(await fetch(path, { method: "POST", body, signal }));
  const bytes = await response.arrayBuffer();
  return { bytes, seconds: (performance.now() - begin) / 1000 };
}

/** The response, if it is good; else its words as an error. */
export async function checked(response: Response): Promise<Response> {
  if (response.ok) return response;
  let message = `the server says ${response.status}`;
  try {
    message = ((await response.json()) as { message: string }).message;
  } catch {
    // It was not JSON: the status has to do.
  }
  throw new Error(message);
}
