// How fast the codec is in this Node, on one core: node bench/speed.mjs MODEL AUDIO.f32 [SECONDS]
// AUDIO.f32 holds float32 samples of one channel at the model's rate. Each figure is the better of two runs, in times
// real time by processor time (of all threads, the collector's included), so that other work on the core does not count.
import { readFileSync } from "node:fs";
import { Codec } from "../dist/index.js";

const [, , model, source, limit = "12"] = process.argv;
const codec = await Codec.load(model);
const rate = codec.config.sampling_rate;
const all = new Float32Array(new Uint8Array(readFileSync(source)).buffer);
const audio = Float32Array.from({ length: Number(limit) * rate }, (_, i) => all[i % all.length]);

async function best(name, work) {
  const times = [];
  for (let i = 0; i < 2; i++) {
    const start = process.cpuUsage();
    await work();
    const used = process.cpuUsage(start);
    times.push((used.user + used.system) / 1e6);
  }
  console.log(`${name}: ${(Number(limit) / Math.min(...times)).toFixed(1)} x real time`);
}

/** Push a live stream packet by packet, and decode each as it comes. */
async function live(packets, decoder, gridFrames) {
  const stream = codec.decoder({ decoder, gridFrames });
  for (const packet of packets) await stream.push(packet);
  await stream.finish();
}

async function packetsOf(packetS) {
  const encoder = await codec.encoder({ bandwidth: 6, packetS });
  const packets = [];
  const step = Math.round(packetS * rate);
  for (let at = 0; at < audio.length; at += step) packets.push(await encoder.push(audio.slice(at, at + step)));
  return [...packets, await encoder.finish()];
}

await codec.prepare("encode", { bandwidth: 6 });
await best("encode, pieces of 1 s", () => codec.encode(audio, { bandwidth: 6, packetS: 1 }));
await best("encode, frame by frame", () => packetsOf(1 / 75));
const [seconds, frames] = [await packetsOf(1), await packetsOf(1 / 75)];
const file = await codec.encode(audio, { bandwidth: 6 });
await best("language model alone, file of packets of 4 s", () => codec.unpack(file));
for (const decoder of codec.decoders) {
  await best(`decode (${decoder}), pieces of 1 s`, () => live(seconds, decoder, 75));
  await best(`decode (${decoder}), frame by frame`, () => live(frames, decoder, 1));
  await best(`decode (${decoder}), file of packets of 4 s`, () => codec.decode(file, { decoder }));
}
