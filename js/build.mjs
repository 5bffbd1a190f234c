// Bundles: index.js for applications, which keeps onnxruntime-web as an import; worker.js and player.js, which stand
// alone, so that a page needs one script tag.
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
