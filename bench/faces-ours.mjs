// Decode + detect + track + cut by the compiled code; prints { rate, faces, engine } of the best of four runs.

import { decode } from "../dist/media/index.js";
import { looseContext } from "../dist/stages/context.js";
import cropFaces from "../dist/stages/crop-faces.js";

const video = process.argv[2];
const context = looseContext();
let best = { rate: 0 };
for (let round = 0; round < 4; round++) {
  const start = performance.now();
  let [frames, faces] = [0, 0];
  const source = async function* () {
    for await (const frame of decode(video)) {
      frames++;
      yield { kind: "frame", ...frame };
    }
  };
  for await (const { status } of cropFaces({}).run(context)(source())) if (status === "ok") faces++;
  const rate = (frames * 1000) / (performance.now() - start);
  if (rate > best.rate) best = { rate, faces, frames, engine: context.facts.detector.engine.name };
}
await context[Symbol.asyncDispose]();
console.log(JSON.stringify(best));
