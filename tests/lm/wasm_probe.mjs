// The probe's model through lm.wasm: argument 1 is the module, 2 a folder with the tensors of test_native_build.py.
// Prints, as base64 of little-endian integers, what `native_probe.digest` takes the digest of.
import { readFileSync } from "node:fs";

const [, , modulePath, folder] = process.argv;
const job = JSON.parse(readFileSync(`${folder}/job.json`));
const { instance } = await WebAssembly.instantiate(readFileSync(modulePath));
const wasm = instance.exports;
let top = wasm.__heap_base.value;

function take(bytes) {
  top = (top + 63) & ~63;
  const at = top;
  top += bytes;
  const missing = top - wasm.memory.buffer.byteLength;
  if (missing > 0) wasm.memory.grow(Math.ceil(missing / 65536));
  return at;
}

function put(bytes) {
  const at = take(bytes.length);
  new Uint8Array(wasm.memory.buffer).set(bytes, at);
  return at;
}

const integers = (numbers) => put(new Uint8Array(Int32Array.from(numbers).buffer));
const bytesAt = (at, length) => Buffer.from(wasm.memory.buffer.slice(at, at + length));
function check(code) {
  if (code) throw new Error(`refused with ${code}`);
}

const sizes = integers(job.sizes);
const tensors = integers(job.tensors.map((name) => (name ? put(readFileSync(`${folder}/${name}`)) : 0)));
const model = take(wasm.lm_model_bytes(sizes));
check(wasm.lm_load(sizes, tensors, model));
const { packets, codebooks, frames, symbols } = job;
const count = packets * frames * codebooks;
let state = take(wasm.lm_state_bytes(model, packets, frames));
check(wasm.lm_start(model, state, packets, frames));
const codes = put(readFileSync(`${folder}/codes`));
const [starts, freqs, scores] = [take(4 * count), take(4 * count), take(4 * count * symbols)];
check(wasm.lm_intervals(model, state, packets, codebooks, frames, codes, starts, freqs, scores));
const payloads = [];
for (let p = 0; p < packets; p++) {
  const size = count / packets;
  const out = take(2 * size + 6);
  const length = wasm.lm_range_encode(starts + 4 * p * size, freqs + 4 * p * size, size, out);
  payloads.push(bytesAt(out, length).toString("base64"));
}
check(wasm.lm_start(model, state, packets, frames));
job.noise.forEach((text, p) => {
  const bytes = Buffer.from(text, "base64");
  check(wasm.lm_payload(state, p, put(bytes), bytes.length));
});
const decoded = take(4 * count);
check(wasm.lm_decode(model, state, packets, codebooks, frames, decoded));
const found = {
  payloads,
  starts: bytesAt(starts, 4 * count).toString("base64"),
  freqs: bytesAt(freqs, 4 * count).toString("base64"),
  scores: bytesAt(scores, 4 * count * symbols).toString("base64"),
  decoded: bytesAt(decoded, 4 * count).toString("base64"),
};
process.stdout.write(JSON.stringify(found));
