import type { Server } from "node:http";
import type { Browser, Page } from "puppeteer-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { AudioOutput, RecodecPlayer } from "../src/player/element.js";
import { BROWSERS, close, closePages, hasSound, launch, LONG, open, serve, TESTED as name } from "./browser.js";
import { there } from "./made.js";

const OUTPUT = `<!doctype html><meta charset="utf-8">
<script type="module">globalThis.made = await import("/dist/player.js")</script>`;
const PLAYER = `<!doctype html><meta charset="utf-8"><script type="module" src="/dist/player.js"></script>
<recodec-player src="/made/codec/speech_6.ecdc" model="/made/model"></recodec-player>`;

const PRELOAD = PLAYER.replace("<recodec-player", '<recodec-player preload="auto"');

/** What a page's script has imported. */
const made = "made" as keyof typeof globalThis;

describe.skipIf(!there || !BROWSERS[name])(`the player in ${name}`, () => {
  let server: Server;
  let browser: Browser;
  let base: string;

  beforeAll(async () => {
    [server, base] = await serve({
      "/output": OUTPUT,
      "/player": PLAYER,
      "/preload": PRELOAD,
      "/nothing": "",
    });
    browser = await launch(name);
  });

  afterEach(() => closePages(browser));

  afterAll(async () => {
    await close(browser);
    server?.close();
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
    await heardFromStart(page, 1);
    await page.waitForFunction("globalThis.ends === 2", LONG);
    await page.keyboard.down("Shift");
    await page.keyboard.press("Tab"); // back to the position
    await page.keyboard.up("Shift");
    await page.keyboard.press("Home");
    await page.keyboard.press("End");
    expect((await state(page)).position).toBe(74_400);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await heardFromStart(page, 2);
    await page.waitForFunction("globalThis.ends === 3", LONG);
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

  it("the element plays files of version 0, whole and cut off", async ({ skip }) => {
    const [page, errors] = await open(browser, `${base}/player`);
    if (!(await hasSound(page))) skip(`${name} plays nothing on a machine without a sound device`);
    const found = await page.evaluate(async () => {
      const player = document.querySelector("recodec-player") as RecodecPlayer;
      const file = await (await fetch("/made/codec/speech_1.5.v0.ecdc")).arrayBuffer();
      // Its first second, as a whole file: 75 frames of two codes of 10 bits.
      const size = new DataView(file).getUint32(5);
      const text = new TextDecoder().decode(file.slice(9, 9 + size)).replace(/"al": *\d+/, '"al": 24000');
      const head = new TextEncoder().encode(text);
      const front = new Uint8Array(file.slice(0, 9));
      new DataView(front.buffer).setUint32(5, head.length);
      const whole = await new Blob([front, head, file.slice(9 + size, 9 + size + 188)]).arrayBuffer();
      const once = (name: string): Promise<Event> =>
        new Promise((resolve) => player.addEventListener(name, resolve, { once: true }));
      const played: [number, string][] = [];
      for (const [tolerant, share] of [
        [false, 1],
        [true, 1],
        [true, 0.7],
        [false, 0.7],
      ] as const) {
        player.toggleAttribute("tolerant", tolerant);
        const over = Promise.race([once("ended"), once("error")]);
        const ready = Promise.race([once("ready"), over]);
        player.setAttribute("src", URL.createObjectURL(new Blob([whole.slice(0, share * whole.byteLength)])));
        await ready;
        void player.play().catch(() => undefined);
        await over;
        played.push([player.position, player.shadowRoot?.querySelector(".note")?.textContent ?? ""]);
      }
      return played;
    });
    const [[strict], [tolerant], [cut, note], [, refused]] = found;
    expect([strict, tolerant]).toEqual([24_000, 24_000]);
    expect(cut).toBeGreaterThan(8000);
    expect(cut).toBeLessThan(20_000);
    expect(note).toMatch(/^The file was cut off: 0:00\.[3-7] of 0:01\.0 are there$/);
    expect(refused).toMatch(/^the header promises \d+ bytes of codes, \d+ are there$/);
    expect(errors).toEqual([]);
  });

  it("a file of version 1 with a damaged front is played as far as it is good", async () => {
    const [page] = await open(browser, `${base}/player`);
    const notes = await page.evaluate(async () => {
      const player = document.querySelector("recodec-player") as RecodecPlayer;
      const file = new Uint8Array(await (await fetch("/made/codec/speech_1.5.ecdc")).arrayBuffer());
      const said: string[] = [];
      player.setAttribute("tolerant", "");
      for (const at of [0, 4]) {
        const broken = file.slice();
        broken[at] ^= 2;
        const done = new Promise((resolve) =>
          ["ready", "error"].forEach((one) => player.addEventListener(one, resolve)),
        );
        player.setAttribute("src", URL.createObjectURL(new Blob([broken])));
        await done;
        said.push(player.shadowRoot?.querySelector(".note")?.textContent ?? "");
      }
      return said;
    });
    for (const note of notes) expect(note).toMatch(/^The file is damaged: byte 0: one bit of the header was wrong/);
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

/** Wait until it is heard from its beginning after so many ends, and go on near its end. */
async function heardFromStart(page: Page, ends: number): Promise<void> {
  await page.waitForFunction(`globalThis.lowest[${ends}] < 30_000`, LONG);
  await page.evaluate(() => void ((document.querySelector("recodec-player") as RecodecPlayer).currentTime = 2.5));
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
