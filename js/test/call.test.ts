/** The page of calls against a server that refuses, stops and goes, and on a machine that is too slow. */

import type { Page } from "puppeteer-core";
import { beforeEach, describe, expect, it } from "vitest";
import { BROWSERS, microphones, textOf, until } from "./browser.js";
import { type FakeServer, fakeWorker, good } from "./fake_server.js";
import { freshPages, LIMIT_MS, says, visit } from "./fresh_pages.js";

describe.skipIf(!BROWSERS.chrome)("the page of calls, in Chromium", () => {
  let server: FakeServer;
  let base: string;
  let page: Page;
  const fresh = freshPages();
  const go = (path: string): Promise<void> => visit(page, base + path);

  beforeEach(async () => {
    [server, base, page] = await fresh();
  });

  it("a call in a full room is refused before anything is loaded or opened", async () => {
    await go("call#full");
    await page.click("#enter");
    await says(page, /^two are in this room already: choose another name$/);
    expect(server.paths).toContain("/call/full");
    expect(server.paths.filter((path) => /^\/(?:runtime|model)\//.test(path))).toEqual([]);
    expect(await microphones(page)).toEqual([0, 0]);
    expect(await page.$eval("#enter", (button) => (button as HTMLButtonElement).disabled)).toBe(false);
  });

  it("a call without a server is refused in a sentence", async () => {
    await go("call#alone");
    server.stop();
    await page.click("#enter");
    await says(page, /^the server does not answer: is it still running\?$/);
  });

  /** Be in a room, with a codec whose every piece takes so long. */
  async function join(pushMs: number, settings: Record<string, string> = {}): Promise<void> {
    server.refuse = null;
    server.answers["/worker.js"] = [fakeWorker(pushMs)];
    server.answers["/runtime/ort-wasm-simd-threaded.wasm"] = [good(Buffer.alloc(8))];
    await go("call#room");
    for (const [id, value] of Object.entries(settings)) await page.select(`#${id}`, value);
    await page.click("#enter");
    await says(page, /^You are in the room/);
  }

  it.each<[string, () => void]>([
    ["stops", () => server.endCall(1012)],
    ["goes away", () => server.endCall(1001)],
    ["breaks", () => server.breakCall()],
  ])("a call whose server %s has lost its connection", async (_, happens) => {
    await join(0);
    happens();
    await says(page, /^The connection to the server was lost, and the call has ended\. Join again/);
    expect(await page.$eval("#status", (line) => line.classList.contains("bad"))).toBe(true);
    expect(await textOf(page, "enter")).toBe("Join");
  });

  it("a call that the server ends has its reason, and one that is left has none", async () => {
    await join(0);
    server.endCall(4004, "messages come too fast for a call");
    await says(page, /^messages come too fast for a call$/);
    await page.click("#enter");
    await says(page, /^You are in the room/);
    await page.click("#enter");
    await says(page, /^You have left the room\.$/);
    expect(await page.$eval("#status", (line) => line.classList.contains("bad"))).toBe(false);
  });

  it("a machine that is too slow does not hide who is there, and can be helped", async () => {
    await join(1000, { decoder: "spectral" });
    server.tell("together");
    server.send({ kind: "ready" });
    await says(page, /^Two are in the room/);
    await until(page, "notice", /^This machine is too slow/, LIMIT_MS);
    expect(await textOf(page, "notice")).toMatch(
      /Leave the room, choose more frames in a packet or EnCodec's decoder, and join again\.$/,
    );
    expect(await textOf(page, "status")).toMatch(/^Two are in the room/);
    server.tell("left");
    await says(page, /^The other page has left/);
    expect(await textOf(page, "notice")).toMatch(/^This machine is too slow/);
    await until(page, "notice", /^$/, LIMIT_MS); // nothing is left out any more
    expect(await textOf(page, "status")).toMatch(/^The other page has left/);
  });

  it("a machine that is too slow for the easiest settings is not told to choose others", async () => {
    await join(1000, { decoder: "encodec", frames: "15" });
    server.tell("together");
    server.send({ kind: "ready" });
    await until(page, "notice", /^This machine is too slow.*: close other programs/, LIMIT_MS);
    await page.click("#enter");
    await says(page, /^You have left/);
    expect(await textOf(page, "notice")).toBe("");
  });
});
