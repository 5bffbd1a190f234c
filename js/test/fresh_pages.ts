/** Pages of `recodec serve` in Chromium, whose microphone is not real, against a server that is not real either. */

import type { Browser, Page } from "puppeteer-core";
import { afterAll, afterEach, beforeAll } from "vitest";
import { close, launch, MICROPHONE, open, until, watchMicrophones } from "./browser.js";
import { FakeServer } from "./fake_server.js";

export const LIMIT_MS = 15_000;

/** Wait until the status line says so. */
export function says(page: Page, pattern: RegExp): Promise<void> {
  return until(page, "status", pattern, LIMIT_MS);
}

/** Go to a page of the server, and wait until it knows the model. */
export async function visit(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.bringToFront();
  await until(page, "model", /kHz/, LIMIT_MS);
}

/** For a suite: a function that gives each test a server, its address and an empty page, which end with the test. */
export function freshPages(): () => Promise<[FakeServer, string, Page]> {
  let browser: Browser;
  let server: FakeServer;
  let page: Page;

  beforeAll(async () => {
    browser = await launch("chrome", MICROPHONE);
  });

  afterEach(async () => {
    server.stop();
    await page.close();
  });

  afterAll(async () => {
    await close(browser);
  });

  return async () => {
    server = new FakeServer();
    const base = await server.start();
    [page] = await open(browser, "about:blank");
    await watchMicrophones(page);
    return [server, base, page];
  };
}
