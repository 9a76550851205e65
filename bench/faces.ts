/**
 * Decoding and face detection, frames per second, against @vladmandic/human.
 *
 *     npx tsx bench/faces.ts [video]
 *
 * Ours: the file is decoded, every frame resized, detected, tracked and cut (`crop-faces` whole, its defaults).
 * Theirs: face detection alone, on frames that are decoded already, by its fastest backend that needs no download (wasm
 * with SIMD), once as it comes (it equalises the histogram of each frame first) and once with its filters off.
 * Runs alternate; the best of each is taken.
 * What it does not show: other resolutions, several videos at once, GPUs, or how good the boxes are.
 */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { decode } from "../src/media/index.ts";
import type { Frame, Image } from "../src/records.ts";
import { looseContext } from "../src/stages/context.ts";
import cropFaces from "../src/stages/crop-faces.ts";

const video =
  process.argv[2] ?? fileURLToPath(new URL("../../shared/media/videos/pyfeat_single_face.mp4", import.meta.url));
const ROUNDS = 4;
const require = createRequire(import.meta.url);

const images: Image[] = [];
for await (const { image } of decode(video)) images.push(image);
const human = await openHuman({ enabled: true, equalization: true });
const bare = await openHuman({ enabled: false });
await using context = looseContext();

let [ours, alone, theirs, theirsBare] = [0, 0, 0, 0];
let [ourFaces, theirFaces, bareFaces] = [0, 0, 0];
for (let round = 0; round < ROUNDS; round++) {
  ours = Math.max(ours, await rate(async () => (ourFaces = await cropped())));
  alone = Math.max(alone, await rate(decoded));
  theirs = Math.max(theirs, await rate(async () => (theirFaces = await human())));
  theirsBare = Math.max(theirsBare, await rate(async () => (bareFaces = await bare())));
}
const { engine } = context.facts.detector as { engine: { name: string; why: string } };
console.log(
  `| ${images.length} frames ${images[0]!.width} × ${images[0]!.height}, ${availableParallelism()} cores | frames/s | faces |`,
);
console.log("|---|---|---|");
console.log(`| affect-pipe: decode + detect + track + cut (${engine.name}) | ${ours.toFixed(1)} | ${ourFaces} |`);
console.log(`| affect-pipe: decode alone | ${alone.toFixed(1)} | |`);
console.log(
  `| human, wasm, as it comes: detect alone, frames decoded beforehand | ${theirs.toFixed(1)} | ${theirFaces} |`,
);
console.log(`| human, wasm, filters off: the same | ${theirsBare.toFixed(1)} | ${bareFaces} |`);
console.log(`| ratio to human as it comes | ${(ours / theirs).toFixed(2)} | |`);
console.log(`| ratio to human with filters off | ${(ours / theirsBare).toFixed(2)} | |`);

/** Frames per second. */
async function rate(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (images.length * 1000) / (performance.now() - start);
}

async function decoded(): Promise<void> {
  for await (const _ of decode(video));
}

async function cropped(): Promise<number> {
  async function* frames(): AsyncGenerator<Frame> {
    for await (const frame of decode(video)) yield { kind: "frame", ...frame };
  }
  let faces = 0;
  for await (const { status } of cropFaces({}).run(context)(frames())) if (status === "ok") faces++;
  return faces;
}

async function openHuman(filter: object): Promise<() => Promise<number>> {
  const root = dirname(dirname(require.resolve("@vladmandic/human")));
  const { Human } = require(join(root, "dist", "human.node-wasm.js"));
  // Its wasm build reads models by fetch alone, and Node's fetch knows no files.
  const server = createServer(async (request, response) => {
    response.end(await readFile(join(root, "models", basename(request.url!))));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const wasm = dirname(require.resolve("@tensorflow/tfjs-backend-wasm"));
  const off = { enabled: false };
  const instance = new Human({
    backend: "wasm",
    wasmPath: `${wasm}/`,
    modelBasePath: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
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
  await instance.init();
  await instance.load();
  server.close();
  return async () => {
    let faces = 0;
    for (const { data, width, height } of images) {
      const tensor = instance.tf.tensor4d(Float32Array.from(data), [1, height, width, 3]);
      const { face } = await instance.detect(tensor);
      tensor.dispose();
      faces += face.length;
    }
    return faces;
  };
}
