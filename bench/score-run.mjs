// score and its rival by the compiled code; prints one JSON line: for each contender a list of { wall, cpu, frames, faces },
// one a round, and the process's peak memory.
//
//     node bench/score-run.mjs '{ "videos": [paths], "rounds": 3, "only": ["pipeline"], "jobs": 1, "fps": 5 }'
//
// The videos are copies of one. The clock runs from the end of the first, which opens the models, except with several jobs,
// each of which opens its own: there it runs over everything.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decode, giveBack } from "../dist/media/index.js";
import { readCheckpoint } from "../dist/nn/checkpoint.js";
import { bind, load, run, TaskProcesses } from "../dist/pipelines/index.js";
import { stages } from "../dist/stages/index.js";
import { checkpointFor } from "../dist/systems/anclaf/load.js";
import { openPredictor } from "../dist/systems/anclaf/predict.js";
import { presets } from "../dist/systems/anclaf/presets.js";
import { openFaceDetector } from "../dist/vision/faces.js";
import { facesOf, newClock } from "./calls.mjs";

const { videos, rounds, only = ["pipeline", "bare"], jobs = 1, whole = false, fps } = JSON.parse(process.argv[2]);
const FRAMES = 4;
const CROPS = 16;

const contenders = { pipeline, bare };
const results = Object.fromEntries(only.map((name) => [name, []]));
for (let round = 0; round < rounds; round++)
  for (const name of only) {
    globalThis.gc?.();
    results[name].push(await contenders[name]());
  }
console.log(JSON.stringify({ ...results, maxRss: process.resourceUsage().maxRSS }));

/** The shipped pipeline, by its runner: streams, tracks, smoothing, Parquet, pages, sha256, fsync, report, index. */
async function pipeline() {
  const output = await mkdtemp(join(tmpdir(), "bench-score-"));
  const clock = newClock();
  if (whole) clock.start();
  const processes = jobs > 1 ? new TaskProcesses(jobs) : undefined;
  try {
    const yaml = fileURLToPath(new URL("../pipelines.yaml", import.meta.url));
    const bound = bind(load(yaml, stages).score, stages, {
      input: videos,
      output,
      model: "anclaf-frame",
      crop: "box",
      ...(fps && { fps }),
    });
    const nothing = () => {};
    const progress = { begin: nothing, note: nothing, end: nothing, item: () => clock.start() };
    const { report } = await run(bound, { stages, progress, jobs, ...(processes && { perform: processes.perform }) });
    const times = clock.stop();
    const items = whole ? report.items : report.items.slice(1);
    const count = (of) => items.reduce((total, { counts }) => total + of(counts), 0);
    return { ...times, frames: count(({ sampled }) => sampled), faces: count(({ rows }) => rows.ok) };
  } finally {
    await processes?.[Symbol.asyncDispose]();
    await rm(output, { recursive: true });
  }
}

/** The same calls in one plain loop, batched as the stages batch; nothing is tracked, smoothed or written. */
async function bare() {
  const detector = await openFaceDetector({ engine: "auto", floor: 0.3 });
  const path = checkpointFor({ preset: "small" });
  const { weights } = await readCheckpoint(path);
  const predictor = openPredictor({ sizes: presets.small, form: "onehot", weights, source: path, batch: CROPS });
  const clock = newClock();
  let [frames, faces] = [0, 0];
  for (const video of videos) {
    let [group, waiting] = [[], []];
    const predict = async (least) => {
      while (waiting.length >= least && waiting.length > 0) {
        const own = waiting.slice(0, CROPS);
        waiting = waiting.slice(CROPS);
        const pixels = new Uint8Array(own.length * own[0].data.length);
        own.forEach(({ data }, i) => {
          pixels.set(data, i * data.length);
        });
        await predictor.predict(pixels);
        faces += own.length;
      }
    };
    const work = async () => {
      waiting.push(...(await facesOf(detector, group)));
      for (const image of group) giveBack(image);
      frames += group.length;
      group = [];
      await predict(CROPS);
    };
    for await (const { image } of decode(video, { recycle: true, ...(fps && { fps }) }))
      if (group.push(image) === FRAMES) await work();
    if (group.length > 0) await work();
    await predict(1);
    if (video === videos[0]) [frames, faces] = [0, 0];
    clock.start();
  }
  await detector[Symbol.asyncDispose]();
  await predictor[Symbol.asyncDispose]();
  return { ...clock.stop(), frames, faces };
}
