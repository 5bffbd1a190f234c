import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type * as Recodec from "../src/index.js";
import type { AudioOutput, RecodecPlayer } from "../src/player/element.js";
import { BROWSERS, launch, open, serve, type BrowserName } from "./browser.js";
import { there } from "./made.js";

// index.js leaves onnxruntime-web to whoever bundles it; a page without a bundler names it in an import map.
const API = `<!doctype html><meta charset="utf-8"><script type="importmap">
{"imports": {"onnxruntime-web/wasm": "data:text/javascript,export const env={}"}}</script>
<script type="module">globalThis.made = await import("/dist/index.js")</script>`;
const OUTPUT = `<!doctype html><meta charset="utf-8">
<script type="module">globalThis.made = await import("/dist/player.js")</script>`;
const PLAYER = `<!doctype html><meta charset="utf-8"><script type="module" src="/dist/player.js"></script>
<recodec-player src="/made/codec/speech_6.ecdc" model="/made/model"></recodec-player>`;

const PRELOAD = PLAYER.replace("<recodec-player", '<recodec-player preload="auto"');

const REPORT_PLAYER = fileURLToPath(new URL("../../src/recodec/evaluation/web/player.js", import.meta.url));
const REPORT = `<!doctype html><meta charset="utf-8"><body data-live="dist">
<script>${readFileSync(REPORT_PLAYER, "utf8")}
globalThis.load = async (ecdc) => {
  const player = new SyncedPlayer([{ ecdc, decoder: "auto" }], () => {});
  await player.load();
  return player.buffers[0];
};</script>`;

/** What a page's script has imported. */
const made = "made" as keyof typeof globalThis;

// Firefox compiles the runtime anew for each page, which takes minutes on one core: `npm run test:firefox`.
const name: BrowserName = process.env.BROWSER === "firefox" ? "firefox" : "chrome";

describe.skipIf(!there || !BROWSERS[name])(`in ${name}`, () => {
  let server: Server;
  let browser: Browser;
  let base: string;

  beforeAll(async () => {
    [server, base] = await serve({
      "/api": API,
      "/output": OUTPUT,
      "/player": PLAYER,
      "/preload": PRELOAD,
      "/nothing": "",
      "/report": REPORT,
    });
    browser = await launch(name);
  });

  afterAll(async () => {
    await browser?.close();
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
      const refused = await codec.decode(file.slice(0, 100)).catch((error: Error) => error.name);
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
    expect(found.refused).toBe("TruncatedError");
    expect(found.cached.length).toBeGreaterThan(2);
    expect(found.cached.every(Boolean)).toBe(true);
    expect(found.isolated).toBe(false);
    expect(errors).toEqual([]);
  });

  // Firefox's OfflineAudioContext cannot be suspended, which this needs.
  it.skipIf(name === "firefox")("the output plays every sample in its place", async () => {
    const [page, errors] = await open(browser, `${base}/output`);
    await page.waitForFunction("globalThis.made !== undefined");
    const found = await page.evaluate(async (name) => {
      const { AudioOutput: Output } = globalThis[name] as unknown as { AudioOutput: typeof AudioOutput };
      const context = new OfflineAudioContext(1, 24_000, 24_000);
      const output = await Output.create(context, 1);
      const samples = Float32Array.from({ length: 12_345 }, (_, i) => Math.sin(i * i));
      // Messages reach the audio thread while it stands still.
      const at = 128 * 10;
      void context.suspend(at / 24_000).then(async () => {
        output.flush(777);
        for (let i = 0; i < samples.length; i += 1000) output.push(samples.slice(i, i + 1000), 1);
        output.end();
        await new Promise((resolve) => setTimeout(resolve, 300));
        await context.resume();
      });
      const heard = (await context.startRendering()).getChannelData(0);
      await new Promise((resolve) => setTimeout(resolve, 100));
      const equal = samples.every((x, i) => heard[at + i] === x);
      const silent = heard.every((x, i) => (i >= at && i < at + samples.length) || x === 0);
      return { equal, silent, position: output.position };
    }, made);
    expect(found).toEqual({ equal: true, silent: true, position: 777 + 12_345 });
    expect(errors).toEqual([]);
  });

  it("the element plays, seeks, draws, pauses and ends, by one script tag and by keyboard", async ({ skip }) => {
    const [page, errors] = await open(browser, `${base}/player`);
    if (!(await hasSound(page))) skip(`${name} plays nothing on a machine without a sound device`);
    await page.waitForFunction("document.querySelector('recodec-player').duration > 0");
    await page.keyboard.press("Tab"); // the position
    await page.keyboard.press("Tab"); // the button
    await page.keyboard.press("Enter");
    await page.waitForFunction("document.querySelector('recodec-player').position > 6000", { timeout: 60_000 });
    await page.keyboard.press("Enter");
    const paused = await state(page);
    expect(paused.paused).toBe(true);
    // The sound ends a little after the click, on a busy machine later: then it stands still.
    await page.waitForFunction(async () => {
      const player = document.querySelector("recodec-player") as RecodecPlayer;
      const before = player.position;
      await new Promise((resolve) => setTimeout(resolve, 400));
      return player.position === before;
    });
    const seeked = await page.evaluate(() => {
      const player = document.querySelector("recodec-player") as RecodecPlayer;
      player.currentTime = 2.5;
      return player.position;
    });
    expect(seeked).toBe(60_000);
    const ended = page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          const player = document.querySelector("recodec-player") as RecodecPlayer;
          player.addEventListener("ended", () => resolve(player.position));
          void player.play();
        }),
    );
    expect(await ended).toBe(74_400);
    expect((await state(page)).inked).toBeGreaterThan(1000);
    expect(errors).toEqual([]);
  });

  it("the element says what is wrong", async () => {
    const [page] = await open(browser, `${base}/player`);
    const said = await page.evaluate(async () => {
      const player = document.querySelector("recodec-player") as RecodecPlayer;
      const error = new Promise<string>((resolve) => {
        player.addEventListener("error", (event) => resolve((event as unknown as CustomEvent<Error>).detail.message));
      });
      player.setAttribute("src", "/made/wire.json");
      return error;
    });
    expect(said).toBe("this is not an .ecdc file: it does not begin with ECDC");
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

  it("the element loads the model ahead of the first play, if asked to", async () => {
    const [page, errors] = await open(browser, `${base}/nothing`);
    await page.evaluate(() => caches.delete("recodec"));
    await page.goto(`${base}/preload`);
    await page.waitForFunction(async () => {
      const kept = await (await caches.open("recodec")).keys();
      return kept.some((request) => request.url.includes("spectral.step"));
    });
    expect(await page.evaluate("document.querySelector('recodec-player').paused")).toBe(true);
    expect(errors).toEqual([]);
  });
});

/** Whether the time of an audio context goes on in this browser, on this machine. */
async function hasSound(page: Page): Promise<boolean> {
  return page.evaluate(async () => {
    const context = new AudioContext();
    const running = context.resume().then(() => true);
    const waited = new Promise<false>((resolve) => setTimeout(() => resolve(false), 5000));
    return Promise.race([running, waited]);
  });
}

async function state(page: Page): Promise<{ paused: boolean; position: number; inked: number }> {
  return page.evaluate(() => {
    const player = document.querySelector("recodec-player") as RecodecPlayer;
    const canvas = player.shadowRoot?.querySelector("canvas") as HTMLCanvasElement;
    const { data } = (canvas.getContext("2d") as CanvasRenderingContext2D).getImageData(
      0,
      0,
      canvas.width,
      canvas.height,
    );
    const inked = data.filter((value, i) => i % 4 === 3 && value > 0).length;
    return { paused: player.paused, position: player.position, inked };
  });
}
