import { join, resolve } from "node:path";
import { makeFolder } from "../disk.ts";
import { rungsOf } from "../systems/anclaf/curriculum.ts";
import { defineStage } from "./define.ts";
import { fromHere, nextCommand } from "./next.ts";
import { schema, VERSION } from "./train-seq/options.ts";
import { cachedTraining, publishedTrainings, trainingBytes } from "./trainings.ts";

/**
 * ANCLaF's second stage on one fold: C-S and C-SA learn from windows of frozen latents, length after length. On latents ZQ
 * the whole combiner is trained, on kept features the part behind its encoder. What each begins with: see `stage2Presets`.
 *
 * A fold's folder gets one folder for each training on the way (see `rungsOf`) with `checkpoints/`, `log.jsonl` and
 * `timing.jsonl` from the training loop, `model.safetensors` (the best weights), `predictions.csv` (every face of the test
 * people), `attention.csv` where it attends, and last of all `result.json`. Interrupted or killed, the same command goes on
 * from the last checkpoint of the training that it was in, and ends with the same bytes; a longer way (a larger n) takes
 * what is finished.
 */
export default defineStage({
  name: "train-seq",
  summary: "window* → artifact: ANCLaF-S and -SA trained length after length, tested on people they never saw",
  version: VERSION,
  takes: "window",
  gives: "artifact",
  options: schema,
  // Of no account but to find the frame model: it must be the one that made the latents, which are in the key.
  runtime: ["output", "models", "checkpoint", "engine", "provider", "threads"],
  output: ({ output }) => output,
  saves: true,
  cached: ({ output }, { key }) => cachedTraining(output, key),
  published: ({ output }, { name }) => publishedTrainings(output, (source) => source.name === name),
  async next(options, [first]) {
    const { scoreWith } = await import("./train-seq/score-with.ts");
    const output = fromHere(options.output);
    return [
      await scoreWith(options, first!),
      nextCommand("evaluate-seq", "--input", output),
      nextCommand("report-seq", "--input", output),
    ];
  },
  run: (options, context) =>
    async function* (windows) {
      const { publishFold, trainFold } = await import("./train-seq/fold.ts");
      const { gatherWindows } = await import("../systems/anclaf/window-parts.ts");
      const { sequenceInput } = await import("../systems/anclaf/sequence-input.ts");
      const { model, n, curriculum, everyLength, controls, steps } = options;
      const way = (steps: number) => rungsOf({ model, n, lengths: curriculum, everyLength, controls, steps });
      const set = await gatherWindows(windows, [...new Set(way(1).map((rung) => rung.n))]);
      const rungs = way(steps ?? STEPS[sequenceInput(set.shape).kind]);
      const folder = join(resolve(options.output), `fold-${set.fold.fold}`);
      await makeFolder(folder);
      const work = { folder, set, options, context };
      await publishFold(work, await trainFold(work, rungs));
      context.verdict("complete");
      yield { kind: "artifact", path: folder, bytes: await trainingBytes(folder) };
    },
});

/** Fresh memories need more; on latents they begin behind a trained encoder, which is trained on with them. */
const STEPS = { features: 300, latents: 60 } as const;
