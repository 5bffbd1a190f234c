import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "puppeteer-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { read, write, type Message } from "../src/serve/messages.js";
import { transform } from "../src/serve/spectrogram.js";
import { info } from "../src/wire/info.js";
import { within } from "../src/serve/waiting.js";
import { readWav, writeWav } from "../src/serve/wav.js";
import { BROWSERS, close, closePages, hasSound, launch, MICROPHONE, open, textOf, TESTED, until } from "./browser.js";
import { made, there } from "./made.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const CLIP = `${ROOT}examples/speech.wav`;
const START_MS = 60_000; // of the server, on a busy machine
const RUNTIME = `${ROOT}js/node_modules/onnxruntime-web/dist`;

/** Start `recodec serve`, and wait for the address that it says. */
function start(): Promise<[ChildProcess, string]> {
  const options = ["--port", "0", "--no-browser", "--runtime", RUNTIME];
  const server = spawn(process.env.PYTHON ?? "python", ["-u", "-m", "recodec", "serve", ...options]);
  let said = "";
  const started = new Promise<[ChildProcess, string]>((resolve, reject) => {
    const take = (data: Buffer): void => {
      said += data.toString();
      const url = /serves (http:\S+)/.exec(said)?.[1];
      if (url) resolve([server, url]);
    };
    server.stdout.on("data", take);
    server.stderr.on("data", take);
    server.on("exit", () => reject(new Error(`recodec serve ended: ${said}`)));
  });
  return within(START_MS, started, `recodec serve has not named its address after ${START_MS} ms`);
}

/** A page, and the addresses that it asked for elsewhere. */
async function visit(browser: Browser, base: string, path: string): Promise<[Page, string[], string[]]> {
  const [page, errors] = await open(browser, "about:blank");
  const elsewhere: string[] = [];
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (!["data:", "blob:"].includes(protocol) && `${origin}/` !== base) elsewhere.push(request.url());
  });
  await page.goto(base + path);
  await page.bringToFront(); // a page behind takes no clicks, and draws no frames
  await until(page, "model", /kHz/);
  return [page, errors, elsewhere];
}

/** Take a place in a room, and nothing else. */
function visitRoom(page: Page, room: string): Promise<void> {
  return page.evaluate((name) => {
    Object.assign(globalThis, { socket: new WebSocket(`${location.origin.replace("http", "ws")}/call/${name}`) });
  }, room);
}

/** Give that place back. */
function leaveRoom(page: Page): Promise<void> {
  return page.evaluate(() => (globalThis as unknown as { socket: WebSocket }).socket.close());
}

describe("parts of the pages", () => {
  it("the built pages in the Python package are those of this source (npm run page)", () => {
    const [built, kept] = [`${ROOT}js/dist/serve/`, `${ROOT}src/recodec/serve/page/`];
    expect(readdirSync(kept).sort()).toEqual(readdirSync(built).sort());
    for (const name of readdirSync(built)) {
      expect(readFileSync(kept + name).equals(readFileSync(built + name)), `${name}: run npm run page`).toBe(true);
    }
  });

  it("messages are read as they were written, and others are none", () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const messages: Message[] = [
      { kind: "head", bytes },
      { kind: "packet", number: 4_000_000_000, origin: 1.75e12 + 0.25, bytes },
      { kind: "ask", asked: 0.5, answered: 0 },
      { kind: "answer", asked: 1.5, answered: 1e12 },
      { kind: "ready" },
    ];
    for (const message of messages) expect(read(write(message).buffer)).toEqual(message);
    for (const wrong of [[], [9, 1, 2], [5], [1, 0, 0], [2, 1]]) expect(read(Uint8Array.from(wrong).buffer)).toBe(null);
  });

  it("WAVs of recordings are read again", async () => {
    const pieces = [Float32Array.of(0.5, -2), Float32Array.of(1e-9)];
    const again = readWav(await writeWav(pieces, 44_100).arrayBuffer());
    expect(again.rate).toBe(44_100);
    expect([...again.channels[0]]).toEqual([0.5, -2, Math.fround(1e-9)]);
    expect(() => readWav(new ArrayBuffer(50))).toThrow("not a WAV");
  });

  it("the transform is that of its definition", () => {
    const size = 16;
    const real = Float32Array.from({ length: size }, (_, i) => Math.sin(i * i));
    const [re, im] = [real.slice(), new Float32Array(size)];
    transform(re, im);
    for (let k = 0; k < size; k++) {
      const sum = (part: (x: number) => number): number =>
        real.reduce((total, x, i) => total + x * part((-2 * Math.PI * i * k) / size), 0);
      expect(re[k]).toBeCloseTo(sum(Math.cos), 5);
      expect(im[k]).toBeCloseTo(sum(Math.sin), 5);
    }
  });
});

describe.skipIf(!there || !BROWSERS.chrome)("recodec serve in Chromium", () => {
  let server: ChildProcess;
  let browser: Browser;
  let base: string;

  beforeAll(async () => {
    [server, base] = await start();
    browser = await launch("chrome", MICROPHONE);
  });

  afterEach(() => closePages(browser));

  afterAll(async () => {
    await close(browser);
    server?.removeAllListeners("exit");
    server?.kill();
  });

  it("a file is dropped, heard in all versions by keyboard, sought in and kept", async () => {
    const [page, errors, elsewhere] = await visit(browser, base, "");
    const clip = readFileSync(CLIP).toString("base64");
    await page.evaluate((text) => {
      const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], "speech.wav"));
      document.getElementById("drop")?.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
    }, clip);
    await until(page, "status", /^You hear the recording at 6 kbps, decoded by the spectral decoder/);
    await page.focus("#play");
    await page.keyboard.press("Enter");
    await until(page, "time", /^0:0[1-4]/);
    await page.keyboard.press("Enter");
    expect(await textOf(page, "play")).toBe("Play");
    const before = await textOf(page, "time");
    await page.keyboard.press("Tab"); // to "Hear the original"
    await page.keyboard.press("Enter");
    expect(await textOf(page, "status")).toBe("You hear the original.");
    await page.focus("#position");
    await page.keyboard.press("End");
    expect(await textOf(page, "time")).not.toBe(before);
    await page.keyboard.press("Home");
    await page.keyboard.press("Tab"); // to the version, of which the original is chosen
    await page.keyboard.press("ArrowRight");
    await until(page, "status", /^You hear the recording at 1.5 kbps, decoded by the spectral decoder/);
    await page.keyboard.press("Tab"); // to the decoder
    await page.keyboard.press("ArrowRight");
    await until(page, "status", /^You hear the recording at 1.5 kbps, decoded by EnCodec's decoder/);
    await page.waitForFunction("document.querySelectorAll('#rows a').length === 4", { timeout: 90_000 });
    const sizes = await page.$$eval("#rows td:nth-child(2)", (cells) =>
      cells.map((cell) => parseInt(cell.textContent!.replace(",", ""))),
    );
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
    const folder = mkdtempSync(`${tmpdir()}/recodec-`);
    const session = await page.createCDPSession();
    await session.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
    await page.click("#rows a");
    const kept = `${folder}/speech_1.5kbps.ecdc`;
    // The name is there before all bytes are.
    await vi.waitUntil(() => existsSync(kept) && statSync(kept).size === sizes[0], { timeout: 20_000 });
    expect(info(new Uint8Array(readFileSync(kept)))).toMatchObject({
      intact: true,
      codebooks: 2,
    });
    rmSync(folder, { recursive: true });
    expect(elsewhere).toEqual([]);
    expect(errors).toEqual([]);
  });

  it("a switch goes on at the same sample, and fades over 240", async () => {
    const [page, errors] = await visit(browser, base, "");
    const found = await page.evaluate(async () => {
      const context = new OfflineAudioContext(1, 24_000, 24_000);
      await context.audioWorklet.addModule("/tracks.worklet.js");
      const node = new AudioWorkletNode(context, "recodec-tracks", { numberOfInputs: 0, outputChannelCount: [1] });
      node.connect(context.destination);
      const one = Float32Array.from({ length: 20_000 }, (_, i) => Math.sin(i * i));
      const two = one.map((x) => -x / 2);
      const send = (at: number, ...messages: object[]): void => {
        // Messages reach the audio thread while it stands still.
        void context.suspend(at / 24_000).then(async () => {
          for (const message of messages) node.port.postMessage(message);
          await new Promise((resolve) => setTimeout(resolve, 200));
          await context.resume();
        });
      };
      const begin = { add: "one", channels: [one], track: "one", seek: 1000, playing: true };
      send(1280, { add: "two", channels: [two] }, begin);
      send(6400, { track: "two" });
      send(12_800, { playing: false });
      send(15_360, { seek: 500, playing: true });
      const heard = (await context.startRendering()).getChannelData(0);
      const equal = (from: number, to: number, track: Float32Array, start: number): boolean =>
        heard.slice(from, to).every((x, i) => x === track[start + i]);
      const between = heard.slice(6400, 6640).every((x, i) => {
        const [a, b] = [one[6120 + i], two[6120 + i]];
        return x >= Math.min(a, b) - 1e-6 && x <= Math.max(a, b) + 1e-6;
      });
      return {
        silent: heard.slice(0, 1280).every((x) => x === 0),
        first: equal(1280, 6400, one, 1000),
        between,
        second: equal(6640, 12_800, two, 6360),
        paused: heard.slice(12_800, 15_360).every((x) => x === 0),
        sought: equal(15_360, 24_000, two, 500),
      };
    });
    expect(found).toEqual({ silent: true, first: true, between: true, second: true, paused: true, sought: true });
    expect(errors).toEqual([]);
  });

  it("the microphone is recorded, and what is no audio is refused with the server's words", async () => {
    const [page, errors, elsewhere] = await visit(browser, base, "");
    await page.click("#record");
    await until(page, "status", /^Recording, (?!0:00)/);
    await page.click("#record");
    await until(page, "status", /^You hear the recording at 6 kbps/);
    await page.evaluate(() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(["no audio"], "note.txt"));
      document.getElementById("drop")?.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
    });
    await until(
      page,
      "status",
      /^note.txt cannot be opened: the upload is not an audio file.* What you hear below is still recording.wav/,
    );
    expect(elsewhere).toEqual([]);
    expect(errors.filter((error) => !error.includes("400"))).toEqual([]); // the browser notes the refusal
  });

  it("an .ecdc file is decoded by both decoders, and a damaged one as far as it goes", async () => {
    const [page, errors] = await visit(browser, base, "");
    const file = Buffer.from(made("codec/speech_6.ecdc"));
    const drop = (bytes: Buffer): Promise<void> =>
      page.evaluate((text) => {
        const data = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([data], "speech.ecdc"));
        document.getElementById("drop")?.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
      }, bytes.toString("base64"));
    await drop(file);
    await until(page, "status", /^You hear the file as it is, decoded by the spectral decoder/);
    await until(page, "rows", /^The file as it is.*Spectral: .*EnCodec: /);
    expect(await textOf(page, "rows")).toContain(`${file.length.toLocaleString("en")} bytes`);
    expect(await textOf(page, "loss")).toBe("");
    await drop(file.subarray(0, file.length - 300));
    await until(page, "loss", /^The file is damaged/);
    await until(page, "status", /^You hear the file as it is/);
    expect(errors).toEqual([]);
  });

  it("two pages call each other, with 5 % loss", async () => {
    const sides = [await visit(browser, base, "call#test"), await visit(browser, base, "call#test")];
    const [[first], [second]] = sides;
    for (const [page] of sides) {
      await page.bringToFront();
      await page.select("#frames", "15");
      await page.click("#enter");
      await until(page, "enter", /^Leave$/);
      if (page === second) break;
      await visitRoom(second, "test"); // as a page that has not loaded its codec yet
      await until(first, "status", /^The other page is in the room, and is getting ready/);
      await leaveRoom(second);
      await until(first, "status", /^The other page has left/);
    }
    for (const [page] of sides) {
      await page.$eval("#loss", (slider) => {
        (slider as HTMLInputElement).value = "5";
        slider.dispatchEvent(new Event("input"));
      });
      expect(await textOf(page, "loss-value")).toBe("5 %");
    }
    for (const [page] of sides) {
      await until(page, "lost", /^[1-9]\d* of (?:[3-9]\d|\d{3,}) /); // some of 30 packets or more
      await until(page, "delay", /^\d+ ms$/);
      expect(await textOf(page, "received")).toMatch(/kbps$/);
    }
    await second.bringToFront();
    await second.click("#enter");
    await until(first, "status", /^The other page has left/);
    await until(second, "status", /^You have left/);
    for (const [, errors, elsewhere] of sides) {
      expect(elsewhere).toEqual([]);
      expect(errors).toEqual([]);
    }
  }, 300_000);

  it.skipIf(!BROWSERS.firefox || TESTED !== "firefox")(
    "Firefox plays a recording, and calls Chromium",
    async ({ skip }) => {
      const other = await launch("firefox");
      try {
        const [page, errors, elsewhere] = await visit(other, base, "");
        if (!(await hasSound(page))) skip("Firefox plays and records nothing on a machine without a sound device");
        await page.click("#record");
        await until(page, "status", /^Recording, (?!0:0[0-3])/); // four seconds, or more on a busy machine
        await page.click("#record");
        await until(page, "status", /^You hear the recording at 6 kbps/);
        await page.click("#play");
        await until(page, "time", /^0:0[0-9].[1-9]/);
        const sides = [await visit(other, base, "call#mixed"), await visit(browser, base, "call#mixed")];
        for (const [side] of sides) {
          await side.bringToFront();
          await side.select("#frames", "15");
          await side.click("#enter");
          await until(side, "enter", /^Leave$/);
        }
        for (const [side] of sides) await until(side, "lost", /^\d+ of (?:[2-9]\d|\d{3,}) /); // 20 packets or more
        await sides[1][0].click("#enter");
        await until(sides[0][0], "status", /^The other page has left/);
        expect([...elsewhere, ...sides[0][2], ...sides[1][2]]).toEqual([]);
        expect([...errors, ...sides[0][1], ...sides[1][1]]).toEqual([]);
      } finally {
        await close(other);
      }
    },
    200_000,
  );
});
