// extract-latents and its rivals by the compiled code, in turns; prints one JSON line: for each contender a list of
// { wall, cpu, … } in seconds, one a round.
//
//     node bench/extract-run.mjs '{ "videos": [paths], "preset": "paper", "rounds": 3, "only": "pipeline",
//         "set": { "encode-latents": { "threads": 1 } } }'
//
// `set` changes options of the pipeline's stages.
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
import { decode, giveBack } from "../dist/media/index.js";
import { bind, load, run } from "../dist/pipelines/index.js";
import { defineStage } from "../dist/stages/define.js";
import { stages } from "../dist/stages/index.js";
import { openEncoder } from "../dist/systems/anclaf/latents.js";
import { openFaceDetector } from "../dist/vision/faces.js";
import { facesOf, newClock } from "./calls.mjs";

const { videos, preset, rounds, only, set = {} } = JSON.parse(process.argv[2]);
const yaml = fileURLToPath(new URL("../pipelines.yaml", import.meta.url));
const FRAMES = 4;
const CROPS = 16;

const contenders = {
  pipeline: () => pipeline(stages),
  dry: () => pipeline({ ...stages, "cache-latents": dropped() }),
  bare: () => bare(false),
  writing: () => bare(true),
  sum,
};
const results = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
for (let round = 0; round < rounds; round++)
  for (const [name, contend] of Object.entries(contenders)) {
    if (only && name !== only) continue;
    globalThis.gc?.();
    results[name].push(await contend());
  }
console.log(JSON.stringify({ ...results, maxRss: process.resourceUsage().maxRSS }));

/** The shipped pipeline, by its runner: streams, tracks, shots, ledger, Arrow shards, sha256, fsync, report. */
async function pipeline(stages) {
  const output = await mkdtemp(join(tmpdir(), "bench-extract-"));
  const clock = newClock();
  try {
    const bound = bind(load(yaml, stages)["extract-latents"], stages, { input: videos, output, preset, crop: "box" });
    for (const { stage, options } of bound.steps) Object.assign(options, set[stage]);
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

/** In the place of cache-latents: latents are counted and let go. */
function dropped() {
  const { name, options, output } = stages["cache-latents"];
  return defineStage({
    name,
    summary: "latent* → nothing",
    version: 1,
    takes: "latent",
    gives: "artifact",
    options,
    output,
    run: (_, { ledger }) =>
      async function* (latents) {
        for await (const { status } of latents) ledger.row(status);
        yield { kind: "artifact", path: "/dev/null", bytes: 0 };
      },
  });
}

/** The same calls in one plain loop, batched as the stages batch; nothing is tracked, and kept only where `writes`. */
async function bare(writes) {
  const output = await mkdtemp(join(tmpdir(), "bench-extract-"));
  const models = await open();
  const clock = newClock();
  let [frames, crops] = [0, 0];
  for (const video of videos) {
    let group = [];
    let waiting = [];
    const keep = writes ? await keeper(output, video, models.encoder.shape) : undefined;
    const encode = async (least) => {
      while (waiting.length >= least && waiting.length > 0) {
        const latents = await models.encoder.encode(waiting.slice(0, CROPS));
        await keep?.append(latents);
        waiting = waiting.slice(CROPS);
      }
    };
    const work = async () => {
      waiting.push(...(await facesOf(models.detector, group)));
      for (const image of group) giveBack(image);
      frames += group.length;
      group = [];
      crops += Math.floor(waiting.length / CROPS) * CROPS;
      await encode(CROPS);
    };
    for await (const { image } of decode(video, { recycle: true })) if (group.push(image) === FRAMES) await work();
    if (group.length > 0) await work();
    crops += waiting.length;
    await encode(1);
    await keep?.publish();
    if (video === videos[0]) [frames, crops] = [0, 0];
    clock.start();
  }
  await models.close();
  const times = clock.stop();
  await rm(output, { recursive: true });
  return { ...times, frames, crops };
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

async function write(output, name, latents, shape) {
  const keep = await keeper(output, name, shape);
  await keep.append(latents);
  await keep.publish();
}

/** A LatentWriter that makes up all but z and q. */
async function keeper(output, name, shape) {
  const source = { name, bytes: 1, digest: digestOf(name) };
  const subject = { kind: "latent", status: "ok", track: 0, shot: 0, box: null, score: 1, landmarks: null };
  const writer = await LatentWriter.open({ output, source, key: source.digest, keyParts: null, facts: {} });
  let i = 0;
  return {
    async append(latents) {
      for (const { z, q } of latents) await writer.append({ ...subject, index: i, pts: i++, z, q, shape });
    },
    publish: () => writer.publish({ verdict: "complete", counts: new Ledger().counts }),
  };
}
