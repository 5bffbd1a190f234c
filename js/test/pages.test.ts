import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type * as Recodec from "../src/index.js";
import type { AudioOutput, RecodecPlayer } from "../src/player/element.js";
import { BROWSERS, close, hasSound, launch, open, serve, type BrowserName } from "./browser.js";
import { tone } from "./fake_server.js";
import { made as readMade, there } from "./made.js";

// index.js leaves onnxruntime-web to whoever bundles it; a page without a bundler names it in an import map.
const API = `<!doctype html><meta charset="utf-8"><script type="importmap">
{"imports": {"onnxruntime-web/wasm": "data:text/javascript,export const env={}"}}</script>
<script type="module">globalThis.made = await import("/dist/index.js")</script>`;
const OUTPUT = `<!doctype html><meta charset="utf-8">
<script type="module">globalThis.made = await import("/dist/player.js")</script>`;
const PLAYER = `<!doctype html><meta charset="utf-8"><script type="module" src="/dist/player.js"></script>
<recodec-player src="/made/codec/speech_6.ecdc" model="/made/model"></recodec-player>`;

const PRELOAD = PLAYER.replace("<recodec-player", '<recodec-player preload="auto"');

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

const LONG = { timeout: 90_000 }; // on a busy machine, to load the model and to play some seconds

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
      ...Object.fromEntries(LACKING.map(([file]) => [`/card/${file}`, card(file)])),
    });
    browser = await launch(name);
  });

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
    await page.waitForFunction("document.querySelector('recodec-player').duration > 0", LONG);
    await page.keyboard.press("Tab"); // the position
    await page.keyboard.press("Tab"); // the button
    await page.keyboard.press("Enter");
    await page.waitForFunction("document.querySelector('recodec-player').position > 6000", LONG);
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
    await page.evaluate(listen);
    await page.evaluate(() => void (document.querySelector("recodec-player") as RecodecPlayer).play());
    await page.waitForFunction("globalThis.ends === 1", LONG);
    expect((await state(page)).position).toBe(74_400);
    await page.keyboard.press("Enter"); // the button once more: from the beginning
    await page.waitForFunction("globalThis.ends === 2", LONG);
    await page.keyboard.down("Shift");
    await page.keyboard.press("Tab"); // back to the position
    await page.keyboard.up("Shift");
    await page.keyboard.press("Home");
    await page.keyboard.press("End");
    expect((await state(page)).position).toBe(74_400);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForFunction("globalThis.ends === 3", LONG);
    const lowest = (await page.evaluate("globalThis.lowest")) as number[];
    expect(lowest.slice(1, 3).every((position) => position < 30_000)).toBe(true);
    expect((await state(page)).inked).toBeGreaterThan(1000);
    expect(errors).toEqual([]);
  });

  it("the element begins again after a file that is cut off", async ({ skip }) => {
    const [page, errors] = await open(browser, `${base}/player`);
    if (!(await hasSound(page))) skip(`${name} plays nothing on a machine without a sound device`);
    await page.evaluate(async () => {
      const player = document.querySelector("recodec-player") as RecodecPlayer;
      const file = await (await fetch("/made/codec/short.ecdc")).arrayBuffer();
      player.setAttribute("tolerant", "");
      player.addEventListener("ready", () => Object.assign(globalThis, { ready: player.duration }));
      player.setAttribute("src", URL.createObjectURL(new Blob([file.slice(0, file.byteLength / 3)])));
    });
    await page.waitForFunction("globalThis.ready < 2", LONG);
    await page.evaluate(listen);
    for (let time = 1; time <= 2; time++) {
      await page.evaluate(() => void (document.querySelector("recodec-player") as RecodecPlayer).play());
      await page.waitForFunction(`globalThis.ends === ${time}`, LONG);
    }
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

  it("the element loads the model ahead of the first play, if asked to", async () => {
    const [page, errors] = await open(browser, `${base}/nothing`);
    await page.evaluate(() => caches.delete("recodec"));
    await page.goto(`${base}/preload`);
    await page.waitForFunction(async () => {
      const kept = await (await caches.open("recodec")).keys();
      return kept.some((request) => request.url.includes("spectral.step"));
    }, LONG);
    expect(await page.evaluate("document.querySelector('recodec-player').paused")).toBe(true);
    expect(errors).toEqual([]);
  });
});

/** Note how often the player ends, and the first place that each time was heard. */
function listen(): void {
  const player = document.querySelector("recodec-player") as RecodecPlayer;
  const noted = Object.assign(globalThis, { ends: 0, lowest: [Infinity] });
  player.addEventListener("timeupdate", () => {
    noted.lowest[noted.ends] = Math.min(noted.lowest[noted.ends] ?? Infinity, player.position);
  });
  player.addEventListener("ended", () => (noted.ends += 1));
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
