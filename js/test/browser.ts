/** A server of the built package and a headless Chromium, for tests and for benchmarks. */

import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import puppeteer, { type Browser, type Page } from "puppeteer-core";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};
const RUNTIME = "ort-wasm-simd-threaded.wasm";

/** Chromium on this machine; `$CHROMIUM`, or where distributions put it. */
export const chromium = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
  (path) => path !== undefined && existsSync(path),
);

/** Firefox on this machine; `$FIREFOX`, or where distributions put it. */
export const firefox = [process.env.FIREFOX, "/usr/bin/firefox-esr", "/usr/bin/firefox"].find(
  (path) => path !== undefined && existsSync(path),
);

function fileOf(path: string): string | null {
  const [, folder, ...rest] = path.split("/");
  const name = rest.join("/");
  if (rest.includes("..")) return null;
  if (folder === "dist" && name === RUNTIME) return `${ROOT}node_modules/onnxruntime-web/dist/${RUNTIME}`;
  if (folder === "dist") return `${ROOT}dist/${name}`;
  return folder === "made" ? `${ROOT}test/.made/${name}` : null;
}

/** Serve `dist/` with the runtime beside it, what `reference.py` made as `made/`, and pages. No special headers. */
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
    response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(body) }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
}

/** Start Chromium, with more options. */
export function launch(more: string[] = []): Promise<Browser> {
  const args = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", ...more];
  return puppeteer.launch({ executablePath: chromium, headless: true, args });
}

/** Start Firefox, with a microphone that is not real. */
export function launchFirefox(): Promise<Browser> {
  const extraPrefsFirefox = {
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.navigator.permission.disabled": true,
    "media.navigator.streams.fake": true,
  };
  return puppeteer.launch({ browser: "firefox", executablePath: firefox, headless: true, extraPrefsFirefox });
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
