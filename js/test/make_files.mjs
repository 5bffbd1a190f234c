// Files for `tests/js/test_js.py`: node make_files.mjs MODEL FOLDER. It reads FOLDER/NAME.f32 (audio) and FOLDER/NAME.codes
// (as `unpack` gives them in Python, frame by frame), and writes .ecdc files of both at each bandwidth, and what it reads.
// Audio is channel after channel. The .ecdc files that are there are written again, but for those of models with segments.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Codec } from "../dist/index.js";

const [, , model, folder] = process.argv;
const codec = await Codec.load(model);
const bytes = (name) => new Uint8Array(readFileSync(`${folder}/${name}`));
for (const name of readdirSync(folder)) {
  const stem = name.replace(/\.[^.]+$/, "");
  if (name.endsWith(".f32")) {
    for (const bandwidth of Object.keys(codec.config.bandwidths)) {
      const file = await codec.encode(new Float32Array(bytes(name).buffer), { bandwidth: Number(bandwidth) });
      const { codes } = await codec.unpack(file);
      writeFileSync(`${folder}/${stem}_${bandwidth}.js.ecdc`, file);
      writeFileSync(`${folder}/${stem}_${bandwidth}.js.codes`, new Uint8Array(codes.data.buffer));
      writeFileSync(`${folder}/${stem}_${bandwidth}.js.audio`, new Uint8Array((await codec.decode(file)).buffer));
    }
  } else if (name.endsWith(".ecdc") && codec.config.segment_length === 0) {
    const { codes, numSamples } = await codec.unpack(bytes(name));
    writeFileSync(`${folder}/${stem}.again`, await codec.pack(codes, numSamples));
  }
}
