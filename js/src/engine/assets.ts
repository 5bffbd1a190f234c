/** The files of a model by URL: fetched once, checked, and kept in the browser's cache. */

import { CheckpointError } from "../errors.js";
import { concatBytes } from "../wire/bytes.js";
import { hex } from "../wire/text.js";
import { parseManifest, type Manifest } from "./manifest.js";

const CACHE_NAME = "recodec";
const MANIFEST_NAME = "recodec.json";

/** How far a download has come. */
export interface Progress {
  /** Name of the file. */
  readonly file: string;
  /** Bytes of it that are here. */
  readonly loaded: number;
  /** Bytes of it. */
  readonly total: number;
  /** Whether it came from the cache. */
  readonly cached: boolean;
}

/** How files are fetched. */
export interface AssetOptions {
  /** Called as the bytes of each file come. */
  onProgress?: (progress: Progress) => void;
  /** Whether files are kept in the Cache API, where there is one; true by default. */
  cache?: boolean;
}

/** The files of one model. */
export class Assets {
  readonly #base: URL;
  readonly #options: AssetOptions;
  readonly #cache: Cache | null;

  private constructor(
    base: URL,
    options: AssetOptions,
    cache: Cache | null,
    readonly manifest: Manifest,
  ) {
    this.#base = base;
    this.#options = options;
    this.#cache = cache;
  }

  /**
   * Read the manifest of a model.
   *
   * @param url - of the folder that `recodec export --web` wrote. In Node a `file:` URL or a path does as well.
   * @throws CheckpointError if there is none, or it is not valid.
   */
  static async open(url: string | URL, options: AssetOptions = {}): Promise<Assets> {
    const base = await folderUrl(url);
    const where = new URL(MANIFEST_NAME, base);
    const cache = options.cache === false || base.protocol === "file:" ? null : await openCache();
    const bytes = await manifestBytes(where, cache);
    return new Assets(base, options, cache, parseManifest(new TextDecoder().decode(bytes), where.href));
  }

  /**
   * The bytes of a file that the manifest names.
   *
   * @throws CheckpointError if it cannot be had, or is not the one that the manifest means.
   */
  async get(name: string): Promise<Uint8Array> {
    const entry = this.manifest.files[name];
    if (entry === undefined) throw new CheckpointError(`the model has no file ${name}`);
    const url = new URL(name, this.#base);
    const key = new URL(`?sha256=${entry.sha256}`, url).href;
    const kept = await this.#cache?.match(key);
    if (kept !== undefined) {
      const bytes = new Uint8Array(await kept.arrayBuffer());
      if (bytes.length === entry.bytes && (await isDigest(bytes, entry.sha256))) {
        this.#options.onProgress?.({ file: name, loaded: bytes.length, total: entry.bytes, cached: true });
        return bytes;
      }
    }
    const bytes = await this.#fetch(url, name, entry.bytes);
    if (!(await isDigest(bytes, entry.sha256))) {
      throw new CheckpointError(`${url.href} is not the file that ${MANIFEST_NAME} names: write both anew`);
    }
    if (this.#cache !== null) await replace(this.#cache, url, key, bytes);
    return bytes;
  }

  async #fetch(url: URL, name: string, total: number): Promise<Uint8Array> {
    const tell = (loaded: number): void => this.#options.onProgress?.({ file: name, loaded, total, cached: false });
    if (url.protocol === "file:") {
      const bytes = await readLocal(url);
      tell(bytes.length);
      if (bytes.length !== total) throw sizeError(url, total, bytes.length);
      return bytes;
    }
    const bytes = await wholeOf(await request(url), url, total, tell);
    if (bytes.length !== total) throw sizeError(url, total, bytes.length);
    return bytes;
  }
}

/** The bytes of a response, no more of them than there should be. */
async function wholeOf(
  response: Response,
  url: URL,
  total: number,
  tell: (loaded: number) => void,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let loaded = 0;
  const reader = response.body?.getReader();
  const next = (): Promise<ReadableStreamReadResult<Uint8Array>> | undefined =>
    reader?.read().catch((error: Error) => {
      throw new CheckpointError(`${url.href} broke off after ${loaded} of ${total} bytes: ${error.message}`);
    });
  for (let part = await next(); part && !part.done; part = await next()) {
    loaded += part.value.length;
    if (loaded > total) {
      await reader?.cancel();
      throw sizeError(url, total, loaded);
    }
    parts.push(part.value);
    tell(loaded);
  }
  return concatBytes(parts);
}

function sizeError(url: URL, wanted: number, found: number): CheckpointError {
  return new CheckpointError(`${url.href} should have ${wanted} bytes, and has ${found > wanted ? "more" : found}`);
}

/** The folder's URL with a slash at its end; a path, in Node, as a `file:` URL. */
async function folderUrl(url: string | URL): Promise<URL> {
  const text = String(url);
  const slash = text.endsWith("/") ? text : `${text}/`;
  const page = (globalThis as { location?: { href: string } }).location?.href;
  if (/^[a-z][a-z0-9+.-]+:/i.test(slash) || page !== undefined) {
    if (URL.canParse(slash, page)) return new URL(slash, page);
    throw new CheckpointError(`${text} is no address of a folder`);
  }
  const { pathToFileURL } = await import(/* webpackIgnore: true */ /* @vite-ignore */ "node:url");
  return pathToFileURL(slash);
}

async function manifestBytes(url: URL, cache: Cache | null): Promise<Uint8Array> {
  if (url.protocol === "file:") return readLocal(url);
  try {
    const response = await request(url);
    await cache?.put(url.href, response.clone());
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    const kept = await cache?.match(url.href); // without a network, what was there last time does
    if (kept === undefined) throw error;
    return new Uint8Array(await kept.arrayBuffer());
  }
}

/**
 * Ask for a file.
 *
 * @throws CheckpointError with the file's name, if it is not there.
 */
export async function request(url: URL): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new CheckpointError(`${url.href} cannot be fetched: ${(error as Error).message}`);
  }
  if (!response.ok) throw new CheckpointError(`${url.href} cannot be fetched: the server says ${response.status}`);
  return response;
}

async function readLocal(url: URL): Promise<Uint8Array> {
  const { readFile } = await import(/* webpackIgnore: true */ /* @vite-ignore */ "node:fs/promises");
  try {
    const bytes = await readFile(url);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  } catch (error) {
    throw new CheckpointError(`${url.href} cannot be read: ${(error as Error).message}`);
  }
}

async function openCache(): Promise<Cache | null> {
  try {
    return typeof caches === "undefined" ? null : await caches.open(CACHE_NAME);
  } catch {
    return null; // some pages may not keep anything
  }
}

/** Put a file into the cache in place of an older one of the same address. A full cache is no fault. */
async function replace(cache: Cache, url: URL, key: string, bytes: Uint8Array): Promise<void> {
  try {
    await cache.delete(url.href, { ignoreSearch: true });
    await cache.put(key, new Response(bytes as BodyInit as ArrayBuffer));
  } catch {
    return;
  }
}

/** Whether bytes have a digest. It cannot be computed in pages without HTTPS; there, the size must do. */
async function isDigest(bytes: Uint8Array, sha256: string): Promise<boolean> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) return true;
  return hex(new Uint8Array(await subtle.digest("SHA-256", bytes as BufferSource as ArrayBuffer))) === sha256;
}
