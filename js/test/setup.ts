/** Lets Python write what the tests compare with, once; without it, the tests that need it are skipped. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const MADE = fileURLToPath(new URL(".made/", import.meta.url));

/** The last file that each part of `reference.py` writes. */
export const MARKS = ["codec/cases.json", "stereo/heard.f32"];

export default function setup(): void {
  if (MARKS.every((name) => existsSync(MADE + name)) && !process.env.RECODEC_REFERENCE) return;
  const script = fileURLToPath(new URL("reference.py", import.meta.url));
  const python = process.env.PYTHON ?? "python";
  try {
    execFileSync(python, [script, MADE], { stdio: "inherit" });
  } catch (error) {
    console.warn(
      `recodec's Python package does not run here (${(error as Error).message}); set PYTHON to one that has it`,
    );
    if (process.env.CI) throw error;
  }
}
