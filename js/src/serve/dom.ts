/** Small helpers of both pages. */

/** The element of an id, which the page has. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found as T;
}

/** An element with text and attributes. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  text = "",
  attributes: Record<string, string> = {},
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Say something in the line that screen readers read out. */
export function say(text: string, bad = false): void {
  const line = byId("status");
  line.textContent = text;
  line.classList.toggle("bad", bad);
}

/** Say what stays true while the line above changes: of a recording that ended by itself, of a machine that is too slow. */
export function remark(text: string): void {
  byId("notice").textContent = text;
}

/** A text with its full stop, where it has no mark of its own. */
export function ended(text: string): string {
  return /[.?!]$/.test(text) ? text : `${text}.`;
}

/** A duration in words: seconds, and from two minutes on minutes. */
export function durationSaid(seconds: number): string {
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} minutes`;
}

/** What decoders are called, alone and in a sentence. */
export const DECODER_NAMES = { spectral: "Spectral", encodec: "EnCodec" } as const;
export const DECODERS_SAID = { spectral: "the spectral decoder", encodec: "EnCodec's decoder" } as const;

/** What a bandwidth is called; `null` is that of a file which was opened. */
export function rateSaid(kbps: number | null): string {
  return kbps === null ? "The file as it is" : `${kbps} kbps`;
}
