import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import { fileURLToPath } from "node:url";
import type { Browser } from "puppeteer-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type * as Recodec from "../src/index.js";
import { BROWSERS, close, closePages, hasSound, launch, LONG, open, serve, TESTED as name } from "./browser.js";
import { tone } from "./fake_server.js";
import { made as readMade, there } from "./made.js";

// index.js leaves onnxruntime-web to whoever bundles it; a page without a bundler names it in an import map.
const API = `<!doctype html><meta charset="utf-8"><script type="importmap">
{"imports": {"onnxruntime-web/wasm": "data:text/javascript,export const env={}"}}</script>
<script type="module">globalThis.made = await import("/dist/index.js")</script>`;
const WEB = fileURLToPath(new URL("../../src/recodec/evaluation/web/", import.meta.url));
const REPORT = `<!doctype html><meta charset="utf-8"><body data-live="dist">
<script>${readFileSync(`${WEB}player.js`, "utf8")}
globalThis.load = async (ecdc) => {
  const player = new SyncedPlayer([{ ecdc, decoder: "auto" }], () => {});
  await player.load();
  return player.buffers[0];
};</script>`;

// A card of the report as report.html writes it: the original as a WAV, a file of Recodec, another codec's WAV.
const CHOICES = ["Original", "Recodec 6 kbps", "Opus 9 kbps"];
const card = (without: string): string => `<!doctype html><meta charset="utf-8"><body data-live="/without/${without}">
<article class="clip" data-seconds="2" tabindex="-1">
<div role="radiogroup">${CHOICES.map((one) => `<button class="choice">${one}<small></small></button>`).join("")}</div>
<div class="scope">${CHOICES.map(() => '<div class="view"></div>').join("")}<div class="playhead"></div></div>
<button class="play">Play</button><input type="checkbox" class="loop" checked><output class="time"></output>
<p class="problem"></p><script type="application/json" class="audio"></script></article>
<script>
globalThis.begin = (audio) => {
  document.querySelector(".audio").textContent = JSON.stringify(audio);
  const script = document.createElement("script");
  script.textContent = ${JSON.stringify(["player.js", "report.js"].map((one) => readFileSync(WEB + one, "utf8")).join("\n"))};
  document.body.append(script);
};</script>`;
const LACKING = [
  ["player.js", "player.js cannot be loaded"],
  ["worker.js", "worker.js cannot run: the file is missing"],
  ["recodec.json", "model/recodec.json cannot be fetched: the server says 404"],
  ["spectral.weights", "model/spectral.weights cannot be fetched: the server says 404"],
  ["ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.wasm cannot be fetched: the server says 404"],
] as const;

/** What a page's script has imported. */
const made = "made" as keyof typeof globalThis;

describe.skipIf(!there || !BROWSERS[name])(`in ${name}`, () => {
  let server: Server;
  let browser: Browser;
  let base: string;

  beforeAll(async () => {
    [server, base] = await serve({
      "/api": API,
      "/report": REPORT,
      ...Object.fromEntries(LACKING.map(([file]) => [`/card/${file}`, card(file)])),
    });
    browser = await launch(name);
  });

  afterEach(() => closePages(browser));

  afterAll(async () => {
    await close(browser);
    server?.close();
  });

  it("a worker encodes and decodes as Python, and the second load comes from the cache", async () => {
    const [page, errors] = await open(browser, `${base}/api`);
    await page.waitForFunction("globalThis.made !== undefined");
    const found = await page.evaluate(async (name) => {
      const { loadInWorker, info } = globalThis[name] as unknown as typeof Recodec;
      const bytes = async (file: string): Promise<Uint8Array> =>
        new Uint8Array(await (await fetch(`/made/codec/${file}`)).arrayBuffer());
      const codec = await loadInWorker("/made/model");
      const file = await bytes("speech_6.ecdc");
      const heard = await codec.decode(file, { decoder: "encodec" });
      const wanted = new Float32Array((await bytes("speech_6.encodec.f32")).buffer as ArrayBuffer);
      const difference = heard.reduce((most, x, i) => Math.max(most, Math.abs(x - wanted[i])), 0);
      const audio = new Float32Array((await bytes("speech.f32")).buffer as ArrayBuffer);
      const made = await codec.encode(audio, { bandwidth: 6 });
      const stream = await codec.decoder({ decoder: "encodec" });
      const first = await stream.push(file.slice(0, 900));
      const rest = await stream.push(file.slice(900));
      const streamed = first.length + rest.length + (await stream.finish()).length;
      const { codes, numSamples } = await codec.unpack(file);
      const packed = await codec.pack(codes, numSamples);
      const source = new Blob([file as BlobPart]).stream() as ReadableStream<Uint8Array>;
      let piped = 0;
      for (const reader = source.pipeThrough(codec.decodeStream()).getReader(); ;) {
        const { value, done } = await reader.read();
        if (done) break;
        piped += value.length;
      }
      const errorOf = (work: Promise<unknown>): Promise<string> =>
        work.then(
          () => "none",
          (error: Error) => error.name,
        );
      const refused = await Promise.all([
        errorOf(codec.decode(file.slice(0, 100))),
        errorOf(codec.decode("x" as never)),
        errorOf(codec.encode(42 as never)),
        errorOf(codec.encode(audio, { lm: (() => 1) as never })),
        errorOf(loadInWorker(undefined as never)),
        errorOf(loadInWorker("http://")),
      ]);
      codec.terminate();
      const cached: boolean[] = [];
      const again = await loadInWorker("/made/model", { onProgress: (progress) => cached.push(progress.cached) });
      await again.prepare("decode", { decoder: "encodec" });
      again.terminate();
      const sizes = [heard.length, wanted.length, streamed, piped];
      const alike = packed.length === file.length && packed.every((byte, i) => byte === file[i]);
      const isolated = globalThis.crossOriginIsolated;
      return { difference, sizes, alike, made: info(made), refused, cached, isolated };
    }, made);
    expect(found.difference).toBeLessThan(1e-4);
    expect(new Set(found.sizes).size).toBe(1);
    expect(found.alike).toBe(true);
    expect(found.made).toMatchObject({ intact: true, codebooks: 8, numSamples: found.sizes[0] });
    const names = ["TruncatedError", "ConfigError", "AudioError", "ConfigError", "ConfigError", "CheckpointError"];
    expect(found.refused).toEqual(names);
    expect(found.cached.length).toBeGreaterThan(2);
    expect(found.cached.every(Boolean)).toBe(true);
    expect(found.isolated).toBe(false);
    expect(errors).toEqual([]);
  });

  it("a worker decodes the file of a stereo model of 48 kHz as Python", async () => {
    const [page, errors] = await open(browser, `${base}/api`);
    await page.waitForFunction("globalThis.made !== undefined");
    const found = await page.evaluate(async (name) => {
      const { loadInWorker } = globalThis[name] as unknown as typeof Recodec;
      const bytes = async (file: string): Promise<ArrayBuffer> => (await fetch(`/made/stereo/${file}`)).arrayBuffer();
      const codec = await loadInWorker("/made/stereo/model");
      const heard = await codec.decode(await bytes("v1.ecdc"));
      codec.terminate();
      const wanted = new Float32Array(await bytes("heard.f32"));
      return [heard.length, heard.reduce((most, x, i) => Math.max(most, Math.abs(x - wanted[i])), 0)];
    }, made);
    expect(found[0]).toBe(2 * 110_400);
    expect(found[1]).toBeLessThan(1e-4);
    expect(errors).toEqual([]);
  });

  it("the report of an evaluation plays .ecdc files as Python does", async () => {
    const [page, errors] = await open(browser, `${base}/report`);
    const difference = await page.evaluate(async () => {
      const bytes = async (file: string): Promise<Uint8Array> =>
        new Uint8Array(await (await fetch(`/made/codec/${file}`)).arrayBuffer());
      const text = String.fromCharCode(...(await bytes("speech_6.ecdc")));
      const { load } = globalThis as unknown as { load: (ecdc: string) => Promise<AudioBuffer> };
      const heard = (await load(`data:;base64,${btoa(text)}`)).getChannelData(0);
      const wanted = new Float32Array((await bytes("speech_6.spectral.f32")).buffer as ArrayBuffer);
      if (heard.length !== wanted.length) return Infinity;
      return heard.reduce((most, x, i) => Math.max(most, Math.abs(x - wanted[i])), 0);
    });
    expect(difference).toBeLessThan(1e-4);
    expect(errors).toEqual([]);
  });

  it.each(LACKING)("the report plays what it can without %s, and names it", async (file, reason) => {
    const [page] = await open(browser, `${base}/card/${file}`);
    const wav = `data:audio/wav;base64,${(await tone(2)).toString("base64")}`;
    const ecdc = `data:;base64,${Buffer.from(readMade("codec/speech_6.ecdc")).toString("base64")}`;
    await page.evaluate(
      (audio) => (globalThis as unknown as { begin(audio: unknown): void }).begin(audio),
      [wav, { ecdc, decoder: "auto" }, wav],
    );
    await page.click(".play");
    await page.waitForFunction("document.querySelector('.problem').textContent !== ''", LONG);
    const said = await page.$eval(".problem", (one) => one.textContent);
    expect(said).toMatch(/^Not playable here: Recodec 6 kbps\. http/);
    expect(said).toContain(reason);
    if (await hasSound(page)) await page.waitForFunction("document.querySelector('.clip').player.playing");
    expect(await page.$$eval(".choice", (all) => all.map((one) => (one as HTMLButtonElement).disabled))).toEqual([
      false,
      true,
      false,
    ]);
    await page.click(".choice:last-of-type");
    expect(await page.evaluate("document.querySelector('.clip').player.chosen")).toBe(2);
  });
});
