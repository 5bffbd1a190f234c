// Encodes and decodes clips for agreement.py: node bench/agreement.mjs FOLDER NAME... FOLDER has model/ and NAME.f32.
import { readFileSync, writeFileSync } from "node:fs";
import { Codec } from "../dist/index.js";

const [, , folder, ...names] = process.argv;
const codec = await Codec.load(`${folder}/model`);
for (const name of names) {
  const audio = new Float32Array(new Uint8Array(readFileSync(`${folder}/${name}.f32`)).buffer);
  for (const bandwidth of Object.keys(codec.config.bandwidths)) {
    const made = `${folder}/${name}_${1000 * Number(bandwidth)}`;
    const file = await codec.encode(audio, { bandwidth: Number(bandwidth) });
    writeFileSync(`${made}.ecdc`, file);
    writeFileSync(`${made}.codes`, (await codec.unpack(file)).codes.data);
    for (const decoder of codec.decoders) writeFileSync(`${made}.${decoder}`, await codec.decode(file, { decoder }));
  }
}
