// extract-latents and its two rivals by the compiled code, in turns; prints one JSON line: for each contender a list of
// { wall, cpu, … } in seconds, one a round.
//
//     node bench/extract-run.mjs '{ "videos": [paths], "preset": "paper", "rounds": 3, "only": "pipeline" }'
//
// The videos are copies of one. The first opens the models and compiles their graphs in each contender; the clock runs
// from its end to the contender's end.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LatentWriter } from "../dist/cache/writer.js";
import { digestOf } from "../dist/digest.js";
import { Ledger } from "../dist/ledger.js";
import { decode } from "../dist/media/index.js";
import { bind, load, run } from "../dist/pipelines/index.js";
import { stages } from "../dist/stages/index.js";
import { openEncoder } from "../dist/systems/anclaf/latents.js";
import { grownBox } from "../dist/vision/boxes.js";
import { openFaceDetector } from "../dist/vision/faces.js";
import { resample } from "../dist/vision/resample.js";

const { videos, preset, rounds, only } = JSON.parse(process.argv[2]);
const yaml = fileURLToPath(new URL("../pipelines.yaml", import.meta.url));
const FRAMES = 4;
const CROPS = 16;

const contenders = { pipeline, bare, sum };
const results = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
for (let round = 0; round < rounds; round++)
  for (const [name, contend] of Object.entries(contenders)) {
    if (only && name !== only) continue;
    globalThis.gc?.();
    results[name].push(await contend());
  }
console.log(JSON.stringify({ ...results, maxRss: process.resourceUsage().maxRSS }));

/** The shipped pipeline, by its runner: streams, tracks, shots, ledger, Arrow shards, sha256, fsync, report. */
async function pipeline() {
  const output = await mkdtemp(join(tmpdir(), "bench-extract-"));
  const clock = newClock();
  try {
    const bound = bind(load(yaml, stages)["extract-latents"], stages, { input: videos, output, preset });
    const nothing = () => {};
    const progress = { begin: nothing, note: nothing, end: nothing, item: () => clock.start() };
    const { report } = await run(bound, { stages, progress });
    const times = clock.stop();
    const items = report.items.slice(1);
    const seconds = {};
    for (const item of items)
      for (const [stage, value] of Object.entries(item.stages)) seconds[stage] = (seconds[stage] ?? 0) + value;
    const count = (of) => items.reduce((total, { counts }) => total + of(counts), 0);
    const frames = count(({ sampled }) => sampled);
    return { ...times, frames, crops: count(({ rows }) => rows.ok), stages: seconds };
  } finally {
    await rm(output, { recursive: true });
  }
}

/** The same calls in one plain loop, batched as the stages batch; nothing is tracked, kept or written. */
async function bare() {
  const models = await open();
  const clock = newClock();
  let [frames, crops] = [0, 0];
  for (const video of videos) {
    let group = [];
    let waiting = [];
    const encode = async (least) => {
      while (waiting.length >= least && waiting.length > 0) {
        await models.encoder.encode(waiting.slice(0, CROPS));
        waiting = waiting.slice(CROPS);
      }
    };
    const work = async () => {
      waiting.push(...(await facesOf(models.detector, group)));
      frames += group.length;
      group = [];
      crops += Math.floor(waiting.length / CROPS) * CROPS;
      await encode(CROPS);
    };
    for await (const { image } of decode(video)) if (group.push(image) === FRAMES) await work();
    if (group.length > 0) await work();
    crops += waiting.length;
    await encode(1);
    if (video === videos[0]) [frames, crops] = [0, 0];
    clock.start();
  }
  await models.close();
  return { ...clock.stop(), frames, crops };
}

/** Each step over a whole video before the next begins; the shares are the steps' own seconds. */
async function sum() {
  const output = await mkdtemp(join(tmpdir(), "bench-extract-"));
  const models = await open();
  const clock = newClock();
  let shares = { decode: 0, faces: 0, encode: 0, write: 0 };
  let frames = 0;
  const timed = async (name, work) => {
    const from = performance.now();
    const result = await work();
    shares[name] += (performance.now() - from) / 1000;
    return result;
  };
  try {
    for (const video of videos) {
      const images = await timed("decode", async () => {
        const all = [];
        for await (const { image } of decode(video)) all.push(image);
        return all;
      });
      const crops = await timed("faces", async () => {
        const all = [];
        for (let i = 0; i < images.length; i += FRAMES)
          all.push(...(await facesOf(models.detector, images.slice(i, i + FRAMES))));
        return all;
      });
      const latents = await timed("encode", async () => {
        const all = [];
        for (let i = 0; i < crops.length; i += CROPS)
          all.push(...(await models.encoder.encode(crops.slice(i, i + CROPS))));
        return all;
      });
      await timed("write", () => write(output, video, latents, models.encoder.shape));
      frames += images.length;
      if (video === videos[0]) {
        frames = 0;
        shares = { decode: 0, faces: 0, encode: 0, write: 0 };
      }
      clock.start();
    }
    await models.close();
    return { ...clock.stop(), frames, shares };
  } finally {
    await rm(output, { recursive: true });
  }
}

async function open() {
  const detector = await openFaceDetector({ engine: "auto", floor: 0.3 });
  const encoder = await openEncoder({ preset, seed: 1, form: "onehot", batch: CROPS, engine: "auto" });
  const close = async () => {
    await detector[Symbol.asyncDispose]();
    await encoder[Symbol.asyncDispose]();
  };
  return { detector, encoder, close };
}

/** Prepared, detected and cut as `crop-faces` does by default, without tracks. */
async function facesOf(detector, images) {
  const prepared = await Promise.all(images.map((image) => detector.prepare(image)));
  const found = await detector.infer(prepared);
  const cuts = images.flatMap((image, i) =>
    found[i]
      .filter(({ score, box }) => score >= 0.5 && Math.min(box.width, box.height) >= 20)
      .map(({ box }) => resample(image, grownBox(box, 0.125, image), { width: 128, height: 128 })),
  );
  return Promise.all(cuts);
}

async function write(output, name, latents, shape) {
  const source = { name, bytes: 1, digest: digestOf(name) };
  const subject = { kind: "latent", status: "ok", track: 0, shot: 0, box: null, score: 1, landmarks: null };
  const writer = await LatentWriter.open({ output, source, key: source.digest, keyParts: null, facts: {} });
  for (const [i, { z, q }] of latents.entries()) await writer.append({ ...subject, index: i, pts: i, z, q, shape });
  await writer.publish({ verdict: "complete", counts: new Ledger().counts });
}

/** Wall and CPU seconds (of all threads) since the first `start`. */
function newClock() {
  let from;
  return {
    start() {
      from ??= { wall: performance.now(), cpu: process.cpuUsage() };
    },
    stop() {
      const { user, system } = process.cpuUsage(from.cpu);
      return { wall: (performance.now() - from.wall) / 1000, cpu: (user + system) / 1e6 };
    },
  };
}
