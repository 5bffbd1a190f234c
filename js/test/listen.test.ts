/** The page of `recodec serve` against a server that refuses, stops and goes, and against hasty clicks. */

import type { Page } from "puppeteer-core";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { BROWSERS, microphones, textOf, until } from "./browser.js";
import { cut, type FakeServer, good, MODEL, refusal, tone } from "./fake_server.js";
import { freshPages, LIMIT_MS, says, visit } from "./fresh_pages.js";

const INTACT = { version: 1, bandwidth_kbps: 5.9, duration_s: 2, num_samples: 48_000, loss: null };

/** Drop a file on the page. */
async function drop(page: Page, name: string, content = "audio"): Promise<void> {
  await page.evaluate(
    (file, text) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([text], file));
      document.getElementById("drop")?.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
    },
    name,
    content,
  );
}

/** Click several times before the page can do anything between. */
function clickTwice(page: Page): Promise<void> {
  return page.evaluate(() => {
    for (let i = 0; i < 2; i++) document.getElementById("record")!.click();
  });
}

describe.skipIf(!BROWSERS.chrome)("the page, in Chromium", () => {
  let server: FakeServer;
  let base: string;
  let page: Page;
  const fresh = freshPages();
  const go = (path = ""): Promise<void> => visit(page, base + path);

  beforeEach(async () => {
    [server, base, page] = await fresh();
    server.answers["/api/wav"] = [good(await tone(2))];
    server.answers["/api/compress"] = [good(Buffer.from("ECDC\x01"))];
    server.answers["/api/decompress"] = [good(await tone(2))];
    server.answers["/api/info"] = [good(INTACT)];
  });

  it("hasty clicks open one microphone, which is off after the recording", async () => {
    await go();
    await clickTwice(page);
    await says(page, /^Recording, 0:00\.[3-9]/);
    expect(await microphones(page)).toEqual([1, 1]);
    await clickTwice(page);
    await says(page, /^You hear/);
    expect(await microphones(page)).toEqual([1, 0]);
    const sent = server.seen.filter(({ path }) => path.startsWith("/api/wav"));
    expect(sent.length).toBe(1);
    await page.click("#record", { count: 2, delay: 100 }); // as a hand does
    await says(page, /^Recording/);
    expect(await microphones(page)).toEqual([2, 1]);
  });

  it("a file that is opened ends the recording, also one that only begins", async () => {
    await go();
    await page.evaluate(() => document.getElementById("record")!.click());
    await drop(page, "speech.wav");
    await says(page, /^You hear/);
    await vi.waitFor(async () => expect(await microphones(page)).toEqual([1, 0]), LIMIT_MS);
    expect(await textOf(page, "record")).toBe("Record");
    await page.click("#record");
    await says(page, /^Recording/);
    await drop(page, "speech.wav");
    await says(page, /^You hear/);
    expect(await microphones(page)).toEqual([2, 0]);
    expect(await textOf(page, "record")).toBe("Record");
  });

  it("a recording ends by itself at the limit, and is kept", async () => {
    const bytes = 4 * 48_000; // a second at the browser's rate, or little more
    server.answers["/api/model"] = [good({ ...MODEL, limits: { bytes, seconds: 3600 } })];
    server.answers["/api/wav"] = [refusal(503, "OutOfTimeError", "the request took too long")];
    await go();
    await page.click("#record");
    await says(page, /^recording.wav cannot be opened: the request took too long\.$/);
    const [sent] = server.seen.filter(({ path }) => path.startsWith("/api/wav"));
    expect(sent.body.length).toBeLessThanOrEqual(bytes);
    expect(sent.body.length).toBeGreaterThan(0.8 * bytes);
    expect(await microphones(page)).toEqual([1, 0]);
    expect(await textOf(page, "notice")).toMatch(/^The recording has stopped by itself after 1 s, .* It is kept/);
    const kept = await page.$eval(
      "#kept",
      async (link) => (await (await fetch((link as HTMLAnchorElement).href)).arrayBuffer()).byteLength,
    );
    expect(kept).toBe(sent.body.length);
  });

  it("a microphone that is taken away ends the recording, which is kept", async () => {
    await go();
    await page.click("#record");
    await says(page, /^Recording, 0:00\.[3-9]/);
    await page.evaluate(() => {
      const { streams } = globalThis as unknown as { streams: MediaStream[] };
      streams[0].getAudioTracks()[0].dispatchEvent(new Event("ended"));
    });
    await says(page, /^You hear/);
    expect(await textOf(page, "notice")).toMatch(/^The microphone was taken away after .* is kept\.$/);
    expect(await microphones(page)).toEqual([1, 0]);
  });

  it("a microphone whose samples do not come is let go, and the page says why", async () => {
    await page.evaluateOnNewDocument(() => {
      AudioWorklet.prototype.addModule = () => Promise.reject(new Error("no worklets today"));
    });
    await go();
    await page.click("#record");
    await says(page, /^this browser does not give the microphone's samples: no worklets today$/);
    expect(await microphones(page)).toEqual([1, 0]);
    expect(await textOf(page, "record")).toBe("Record");
  });

  it("Play at the end begins again at once", async () => {
    await go();
    await drop(page, "speech.wav");
    await says(page, /^You hear/);
    await page.focus("#position");
    await page.keyboard.press("End");
    expect(await textOf(page, "time")).toBe("0:02.0 of 0:02.0");
    await page.click("#play");
    await until(page, "time", /^0:00\.[2-9]/, LIMIT_MS);
    expect(await textOf(page, "play")).toBe("Pause");
  });

  it("an .ecdc file is decoded and heard as it is", async () => {
    await go();
    await drop(page, "speech.ecdc", "ECDC\x01 and so on");
    await says(page, /^You hear the file as it is, decoded by the spectral decoder/);
    expect(await page.$$eval("#versions label", (all) => all.map((one) => one.textContent))).toEqual([
      "The file as it is",
    ]);
    expect(await textOf(page, "rows")).toMatch(/^The file as it is.*bytes.*kbps/);
    expect(await page.$eval("#swap", (one) => (one as HTMLElement).hidden)).toBe(true);
    await page.$eval("#decoders input[value=encodec]", (one) => (one as HTMLElement).click());
    await says(page, /^You hear the file as it is, decoded by EnCodec's decoder/);
    expect(server.paths.some((path) => path.startsWith("/api/wav"))).toBe(false);
    expect(server.paths.some((path) => path.startsWith("/api/compress"))).toBe(false);
    await drop(page, "speech.wav");
    await says(page, /^You hear the recording at 6 kbps/);
    expect((await page.$$("#versions label")).length).toBe(1 + MODEL.bandwidths.length);
  });

  it("a damaged .ecdc file is heard as far as it goes, and the page says that it is damaged", async () => {
    server.answers["/api/info"] = [good({ ...INTACT, loss: "1.000 s of 2.00 s are lost" })];
    await go();
    await drop(page, "speech.ecdc", "ECDC\x01 and so on");
    await says(page, /^You hear the file as it is/);
    expect(await textOf(page, "loss")).toBe("The file is damaged or was cut off: 1.000 s of 2.00 s are lost.");
    expect(server.paths.find((path) => path.startsWith("/api/decompress"))).toContain("tolerant=1");
  });

  it("a busy server is asked again after the time that it names", async () => {
    const busy = refusal(429, "BusyError", "2 requests are being coded and 8 wait: try again later", "1");
    server.answers["/api/wav"] = [busy, good(await tone(2))];
    server.answers["/api/compress"] = [busy, busy, good(Buffer.from("ECDC\x01"))];
    await go();
    await drop(page, "speech.wav");
    await says(page, /^The server is busy.*again in 1 s/);
    await says(page, /^You hear/);
    await page.waitForFunction("document.querySelectorAll('#rows a').length === 2", { timeout: LIMIT_MS });
    expect(await textOf(page, "status")).toMatch(/^You hear/);
  });

  it("a server that stays busy is asked a few times only", async () => {
    server.answers["/api/wav"] = [refusal(429, "BusyError", "too many wait: try again later", "0")];
    await go();
    await drop(page, "speech.wav");
    await says(page, /^speech.wav cannot be opened: too many wait: try again later\.$/);
    expect(server.paths.filter((path) => path.startsWith("/api/wav")).length).toBe(6);
  });

  it.each(["/api/wav", "/api/compress", "/api/decompress"])("%s: an answer that is cut off is told", async (path) => {
    server.answers[path] = [cut(await tone(2))];
    await go();
    await drop(page, "speech.wav");
    await says(
      page,
      /^speech.wav cannot be .*: the server stopped within its answer: the recording is cut off or damaged \(its terminal says why\)\.$/,
    );
  });

  it("a server that ends the connection without an answer is told", async () => {
    server.answers["/api/wav"] = [(_, response) => void response.destroy()];
    await go();
    await drop(page, "speech.wav");
    await says(
      page,
      /^speech.wav cannot be opened: the server ended the connection without an answer \(its terminal may say why\)\.$/,
    );
  });

  it("a file that fails is named, and so is the recording that is still open", async () => {
    await go();
    await drop(page, "note.txt");
    await says(page, /^You hear/);
    expect(await textOf(page, "listen-title")).toBe("Listen to note.txt");
    server.answers["/api/info"] = [good({ ...INTACT, loss: "1.000 s of 2.00 s are lost" })];
    await drop(page, "speech.ecdc", "ECDC\x01 and so on");
    await says(page, /^You hear the file as it is/);
    server.answers["/api/wav"] = [refusal(400, "AudioError", "the upload is empty")];
    await drop(page, "empty.wav");
    await says(page, /^empty.wav cannot be opened: the upload is empty\. What you hear below is still speech.ecdc\.$/);
    expect(await textOf(page, "listen-title")).toBe("Listen to speech.ecdc");
    expect(await textOf(page, "loss")).toMatch(/^The file is damaged/); // that of speech.ecdc
    expect(await page.$eval("#partial", (button) => (button as HTMLElement).hidden)).toBe(true);
    server.answers["/api/wav"] = [good(await tone(2))];
    await drop(page, "speech.wav");
    await says(page, /^You hear the recording/);
    expect(await textOf(page, "loss")).toBe("");
  });

  it("the part of a file that was cut off is offered, in words for people", async () => {
    const message =
      "the upload was cut off: 1 s of 2 s are there; --partial (partial=True, partial=1 over HTTP) takes them";
    const refused = { error: "IncompleteError", message, reason: "the upload was cut off: 1 s of 2 s are there" };
    server.answers["/api/wav"] = [
      (_, response) => void response.writeHead(400).end(JSON.stringify(refused)),
      good(await tone(1)),
    ];
    await go();
    await drop(page, "half.wav");
    await says(page, /^half.wav cannot be opened: the upload was cut off: 1 s of 2 s are there\.$/);
    await page.click("#partial");
    await says(page, /^You hear the recording at 6 kbps/);
    expect(await textOf(page, "loss")).toBe("The file is damaged or was cut off: this is the part that is there.");
    expect(await page.$eval("#partial", (button) => (button as HTMLElement).hidden)).toBe(true);
    const asked = server.paths.filter((path) => /^\/api\/(wav|compress)/.test(path));
    expect(asked.map((path) => path.endsWith("&partial=1"))).toEqual([false, ...asked.slice(1).map(() => true)]);
    await drop(page, "speech.wav");
    await vi.waitFor(() => expect(server.paths.filter((path) => path === "/api/wav?bits=32").length).toBe(2), LIMIT_MS);
  });

  it("a file that is too long is refused with advice that a page can follow", async () => {
    server.answers["/api/info"] = [good({ ...INTACT, duration_s: 400 })];
    await go();
    await drop(page, "long.ecdc", "ECDC\x01 and so on");
    await says(page, /^long.ecdc cannot be opened: it has 400 s .* the page takes 300 s at most: choose a shorter/);
  });

  it("a server that is gone is told", async () => {
    await go();
    server.stop();
    await drop(page, "speech.wav");
    await says(page, /^speech.wav cannot be opened: the server does not answer: is it still running\?$/);
  });

  it("a server that fails when the page opens is told in its words", async () => {
    server.answers["/api/model"] = [refusal(500, "InternalError", "the server failed (OSError)")];
    await page.goto(base);
    await says(page, /^the server failed \(OSError\)$/);
  });
});
