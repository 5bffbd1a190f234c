/**
 * From the start of a page to the first sample that is heard, in Chromium: `npm run bench:page`, after `npm test`. The
 * page is opened three times; the first time fills the cache.
 */

import { launch, open, serve } from "../test/browser.js";

const FILE = process.argv[2] ?? "/made/codec/speech_6.ecdc";
const PAGE = `<!doctype html><meta charset="utf-8"><script type="module" src="/dist/player.js"></script>
<recodec-player src="${FILE}" model="/made/model"></recodec-player>`;

const [server, base] = await serve({ "/": PAGE });
const browser = await launch();
for (const name of ["cold", "warm", "warm"]) {
  const [page] = await open(browser, base);
  const found = await page.evaluate(async () => {
    interface Player extends HTMLElement {
      duration: number;
      position: number;
      play(): Promise<void>;
    }
    const player = document.querySelector("recodec-player") as Player;
    const until = async (condition: () => boolean): Promise<void> => {
      while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await until(() => player.duration > 0);
    const ready = performance.now();
    await player.play();
    await until(() => player.position > 0);
    return { ready: ready / 1000, sound: performance.now() / 1000 };
  });
  console.log(`${name}: file read after ${found.ready.toFixed(2)} s, first sound after ${found.sound.toFixed(2)} s`);
  await page.close();
}
await browser.close();
server.close();
