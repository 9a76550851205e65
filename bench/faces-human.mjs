// Face detection by @vladmandic/human on frames decoded beforehand; prints { rate, faces } of the best of four runs.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { decode } from "../dist/media/index.js";

const [video, filter] = [process.argv[2], JSON.parse(process.argv[3])];
const require = createRequire(import.meta.url);
const images = [];
for await (const { image } of decode(video)) images.push(image);

const root = dirname(dirname(require.resolve("@vladmandic/human")));
const { Human } = require(join(root, "dist", "human.node-wasm.js"));
// Its wasm build reads models by fetch alone, and Node's fetch knows no files.
const server = createServer(async (request, response) => {
  response.end(await readFile(join(root, "models", basename(request.url))));
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const off = { enabled: false };
const human = new Human({
  backend: "wasm",
  wasmPath: `${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`,
  modelBasePath: `http://127.0.0.1:${server.address().port}/`,
  debug: false,
  cacheSensitivity: 0,
  filter,
  gesture: off,
  body: off,
  hand: off,
  object: off,
  segmentation: off,
  face: {
    enabled: true,
    detector: { rotation: false, maxDetected: 5, minConfidence: 0.5, skipFrames: 0, skipTime: 0 },
    mesh: off,
    attention: off,
    iris: off,
    emotion: off,
    description: off,
    antispoof: off,
    liveness: off,
  },
});
await human.init();
await human.load();
server.close();

let best = { rate: 0 };
for (let round = 0; round < 4; round++) {
  const start = performance.now();
  let faces = 0;
  for (const { data, width, height } of images) {
    const tensor = human.tf.tensor4d(Float32Array.from(data), [1, height, width, 3]);
    faces += (await human.detect(tensor)).face.length;
    tensor.dispose();
  }
  const rate = (images.length * 1000) / (performance.now() - start);
  if (rate > best.rate) best = { rate, faces };
}
console.log(JSON.stringify(best));
process.exit();
