import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [
    {
      name: "wasm-bytes", // as esbuild's loader "binary" does it
      enforce: "pre",
      load(id) {
        if (!id.endsWith(".wasm")) return null;
        const text = readFileSync(id).toString("base64");
        return `export default new Uint8Array(Buffer.from("${text}", "base64"));`;
      },
    },
  ],
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/setup.ts",
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
});
