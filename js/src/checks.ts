/** What callers hand to the package, checked before anything works on it. */

import { AudioError, ConfigError } from "./errors.js";
import { shown } from "./wire/text.js";

const MOST_SHOWN = 60;

/** What each option may be: one of some values, a kind of `typeof`, or anything that is checked elsewhere. */
export type Allowed<T> = Record<keyof T & string, readonly unknown[] | "function" | null>;

/**
 * Make sure that options are ones that there are.
 *
 * @param options - as the caller gave them; `undefined` stands for those that are not given.
 * @param allowed - by their names.
 * @throws ConfigError for a name that is not known, or a value that the option does not take.
 */
export function checkOptions<T extends object>(options: T, allowed: Allowed<T>): void {
  const names = Object.keys(allowed).join(", ");
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new ConfigError(`options must be an object with any of ${names}; got ${said(options)}`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(allowed, name)) throw new ConfigError(`there is no option ${said(name)}; there are ${names}`);
    const kinds = allowed[name as keyof T & string];
    if (value === undefined || kinds === null) continue;
    if (kinds === "function" ? typeof value === kinds : kinds.includes(value)) continue;
    throw new ConfigError(
      `${name} must be ${kinds === "function" ? "a function" : `one of ${kinds.join(", ")}`}, got ${said(value)}`,
    );
  }
}

/** The values of an option that is on or off. */
export const SWITCH = [true, false] as const;

/**
 * Bytes as an array of bytes; shares the memory.
 *
 * @throws ConfigError for anything else.
 */
export function bytesOf(file: ArrayBuffer | Uint8Array): Uint8Array {
  if (file instanceof Uint8Array) return file;
  if (!["ArrayBuffer", "SharedArrayBuffer", "Uint8Array"].includes(kindOf(file))) {
    throw new ConfigError(
      `the bytes of an .ecdc file must be a Uint8Array or an ArrayBuffer, got ${said(file)}; ` +
        "arrayBuffer() of a Blob, a File or a Response gives one",
    );
  }
  return new Uint8Array(file); // one of another window is none of ours for `instanceof`
}

/**
 * Samples as they are.
 *
 * @throws AudioError for anything but a `Float32Array`.
 */
export function samplesOf(audio: Float32Array): Float32Array {
  if (kindOf(audio) === "Float32Array") return audio;
  const advice = kindOf(audio).endsWith("Array") ? "; Float32Array.from(samples) makes one" : "";
  throw new AudioError(`audio must be a Float32Array, full scale being 1, got ${said(audio)}${advice}`);
}

/**
 * Make sure that something counts.
 *
 * @throws ConfigError for anything but an integer of at least `least`.
 */
export function checkCount(value: number, name: string, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new ConfigError(`${name} must be an integer of at least ${least}, got ${said(value)}`);
}

/**
 * Make sure that an address was given.
 *
 * @throws ConfigError for anything but a text that is not empty, or a `URL`.
 */
export function checkAddress(url: string | URL): void {
  if (url instanceof URL || (typeof url === "string" && url !== "")) return;
  throw new ConfigError(
    "the model's address must be a string or a URL, that of the folder which `recodec export --web` wrote; " +
      `got ${said(url)}`,
  );
}

/** Numbers, texts and the like as they are written; of all else the kind. */
export function said(value: unknown): string {
  if (typeof value === "string") return shown(value.length > MOST_SHOWN ? `${value.slice(0, MOST_SHOWN)}...` : value);
  if (value === null || !["object", "function", "symbol"].includes(typeof value)) return String(value);
  const kind = kindOf(value);
  return `${/^[AEIO]/.test(kind) ? "an" : "a"} ${kind}`;
}

function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}
