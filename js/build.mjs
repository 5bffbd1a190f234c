// Bundles: index.js for applications, which keeps onnxruntime-web as an import; worker.js and player.js, which stand
// alone, so that a page needs one script tag; and serve/, the pages of `recodec serve`, which are kept in the Python
// package (`npm run page` copies them there), so that it needs no Node.
import { copyFileSync } from "node:fs";
import { build } from "esbuild";

const common = {
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  sourcemap: false,
  outdir: "dist",
  loader: { ".wasm": "binary", ".worklet.js": "text" },
  external: ["node:*"],
  legalComments: "none",
};
await build({ ...common, entryPoints: { index: "src/index.ts" }, external: [...common.external, "onnxruntime-web/*"] });
await build({ ...common, entryPoints: { worker: "src/worker/worker.ts", player: "src/player/element.ts" } });

const pages = { ...common, outdir: "dist/serve" };
await build({ ...pages, entryPoints: { page: "src/serve/page.ts", call: "src/serve/call.ts" } });
await build({
  ...pages,
  loader: {},
  entryPoints: {
    page: "src/serve/page.css",
    "queue.worklet": "src/player/queue.worklet.js",
    "tracks.worklet": "src/serve/tracks.worklet.js",
    "capture.worklet": "src/serve/capture.worklet.js",
  },
});
for (const name of ["index.html", "call.html"]) copyFileSync(`src/serve/${name}`, `dist/serve/${name}`);
copyFileSync("dist/worker.js", "dist/serve/worker.js");
