/** A server of the built package and headless browsers, for tests and for benchmarks. */

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { within } from "../src/serve/waiting.js";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};
const [START_MS, CALL_MS, CLOSE_MS] = [120_000, 180_000, 20_000]; // of a browser; a call may compile the runtime
const RUNTIME = "ort-wasm-simd-threaded.wasm";

/** The browsers of this machine: `$CHROMIUM`, `$FIREFOX`, or where distributions put them. */
export const BROWSERS = {
  chrome: found(process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"),
  firefox: found(process.env.FIREFOX || undefined, "/usr/bin/firefox-esr", "/usr/bin/firefox"),
} as const;

/** Options of Chromium, for a microphone that is not real. */
export const MICROPHONE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];

/** The name of a browser. */
export type BrowserName = keyof typeof BROWSERS;

/**
 * The browser that tests of the built package take. Firefox compiles the runtime anew for each page, which takes minutes on
 * one core: `npm run test:firefox`.
 */
export const TESTED: BrowserName = process.env.BROWSER === "firefox" ? "firefox" : "chrome";

/** How long a page may take on a busy machine, to load the model and to play some seconds. */
export const LONG = { timeout: 90_000 };

function found(...paths: (string | undefined)[]): string | undefined {
  return paths.find((path) => path !== undefined && existsSync(path));
}

function fileOf(path: string): string | null {
  const [, folder, ...rest] = path.split("/");
  const name = rest.join("/");
  if (rest.includes("..")) return null;
  if (folder === "without") return rest.includes(rest[0], 1) ? null : fileOf(`/dist/${rest.slice(1).join("/")}`);
  if (folder === "dist" && name === RUNTIME) return `${ROOT}node_modules/onnxruntime-web/dist/${RUNTIME}`;
  if (folder === "dist" && rest[0] === "model") return `${ROOT}test/.made/${name}`;
  if (folder === "dist") return `${ROOT}dist/${name}`;
  return folder === "made" ? `${ROOT}test/.made/${name}` : null;
}

function tagOf(body: string | Buffer): string {
  return `"${createHash("sha256").update(body).digest("hex").slice(0, 32)}"`;
}

/**
 * Serve `dist/` with the runtime and the model beside it, the same without a file as `without/FILE/`, what `reference.py`
 * made as `made/`, and pages. No special headers.
 */
export async function serve(pages: Record<string, string>): Promise<[Server, string]> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? "/").split("?")[0]);
    const page = pages[path];
    const file = fileOf(path);
    if (page === undefined && (file === null || !existsSync(file))) {
      response.writeHead(path === "/favicon.ico" ? 204 : 404).end();
      return;
    }
    const body = page ?? readFileSync(file as string);
    const type = page === undefined ? (TYPES[extname(path)] ?? "application/octet-stream") : "text/html";
    // With a tag, as servers of files send one, the browser keeps the compiled runtime.
    const headers = { "content-type": type, "content-length": Buffer.byteLength(body), etag: tagOf(body) };
    const known = request.headers["if-none-match"] === headers.etag;
    response.writeHead(known ? 304 : 200, headers).end(known ? undefined : body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
}

/** Start a browser that may play without a click; Firefox has a microphone that is not real. */
export function launch(name: BrowserName = "chrome", more: string[] = []): Promise<Browser> {
  const chrome = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"];
  return puppeteer.launch({
    browser: name,
    executablePath: BROWSERS[name],
    headless: true,
    timeout: START_MS,
    protocolTimeout: CALL_MS,
    args: [...(name === "chrome" ? chrome : []), ...more],
    extraPrefsFirefox: {
      "media.autoplay.default": 0,
      "media.autoplay.blocking_policy": 0,
      "media.navigator.permission.disabled": true,
      "media.navigator.streams.fake": true,
    },
  });
}

/** End a browser; one that does not end in time is killed, so that the tests go on. */
export async function close(browser: Browser | undefined): Promise<void> {
  if (browser === undefined) return;
  try {
    await within(CLOSE_MS, browser.close(), `the browser has not closed after ${CLOSE_MS} ms`);
  } catch (error) {
    console.warn(`${(error as Error).message}: it is killed`);
    browser.process()?.kill("SIGKILL");
  }
}

/** Close the pages of a test: what plays or draws on in them takes time from the next tests. */
export async function closePages(browser: Browser): Promise<void> {
  for (const page of (await browser.pages()).slice(1)) await page.close(); // without any page, a browser may end
}

/** A page whose errors are collected. */
export async function open(browser: Browser, url: string): Promise<[Page, string[]]> {
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    // The runtime writes a warning to the errors, of constants that its optimizer has folded away.
    const text = message.text();
    if (message.type() === "error" && !text.includes("CleanUnusedInitializers")) errors.push(text);
  });
  await page.goto(url);
  return [page, errors];
}

/** The text of an element. */
export function textOf(page: Page, id: string): Promise<string> {
  return page.$eval(`#${id}`, (element) => element.textContent ?? "");
}

/** Wait until an element's text fits; the error says what it and the status line say instead. */
export async function until(page: Page, id: string, pattern: RegExp, limitMs = 100_000): Promise<void> {
  const wanted = `new RegExp(${JSON.stringify(pattern.source)}).test(document.getElementById(${JSON.stringify(id)}).textContent)`;
  try {
    await page.waitForFunction(wanted, { timeout: limitMs, polling: 100 });
  } catch (error) {
    const [said, status] = await Promise.all([id, "status"].map((one) => textOf(page, one)));
    throw new Error(`#${id} says "${said}", status "${status}", and not ${pattern} after ${limitMs} ms`, {
      cause: error,
    });
  }
}

/** Whether the time of an audio context goes on in this browser, on this machine. */
export async function hasSound(page: Page): Promise<boolean> {
  return page.evaluate(async () => {
    const context = new AudioContext();
    const running = context.resume().then(() => true);
    const waited = new Promise<false>((resolve) => setTimeout(() => resolve(false), 5000));
    return Promise.race([running, waited]);
  });
}

/** Microphones that the page has opened, and how many of them are on. */
export function microphones(page: Page): Promise<[number, number]> {
  return page.evaluate(() => {
    const { streams } = globalThis as unknown as { streams: MediaStream[] };
    const on = streams.filter((stream) => stream.getTracks().some((track) => track.readyState === "live"));
    return [streams.length, on.length] as [number, number];
  });
}

/** Keep the microphones that pages open from now on, for `microphones`. */
export async function watchMicrophones(page: Page): Promise<void> {
  await page.evaluateOnNewDocument(() => {
    const devices = navigator.mediaDevices;
    const streams: MediaStream[] = [];
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (constraints) => {
      const stream = await ask(constraints);
      streams.push(stream);
      return stream;
    };
    Object.assign(globalThis, { streams });
  });
}
