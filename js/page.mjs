// Copies the built pages of `recodec serve` into the Python package: `npm run page`, after a change of src/.
import { cpSync } from "node:fs";

cpSync("dist/serve", "../src/recodec/serve/page", { recursive: true });
