import { mkdtemp, readdir, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LatentWriter } from "../../src/cache/writer.ts";
import { digestOf, type Json } from "../../src/digest.ts";
import { Ledger } from "../../src/ledger.ts";
import { readCheckpoint } from "../../src/nn/checkpoint.ts";
import { metricsOf } from "../../src/nn/metrics.ts";
import { type BoundPipeline, bind, parsePipelines, run } from "../../src/pipelines/index.ts";
import { seeded } from "../../src/random.ts";
import type { FoldedClip } from "../../src/records.ts";
import { readAttention, readStepPredictions } from "../../src/report/sequence-files.ts";
import { resultsIn } from "../../src/report/training-result.ts";
import { stages } from "../../src/stages/index.ts";
import { temporary } from "../pipelines/temporary.ts";

const RANGE = { valence: [-10, 10], arousal: [-10, 10] };
const PARTS = { training: ["a", "b", "c"], validation: ["d", "e"], test: ["f", "g"] } as const;

interface Made {
  model?: string;
  range?: Json;
  labelled?: boolean;
  /** Of a row's values; default: features. */
  shape?: readonly number[];
  /** Changes one clip alone. */
  only?: string;
}

/** Features of a fold's clips, 5 to 11 frames each, of which the third has no face and the fourth no label. */
async function store(output: string, made: Made = {}): Promise<void> {
  for (const [part, ids] of Object.entries(PARTS))
    for (const id of ids) {
      const own = made.only === undefined || made.only === id ? made : {};
      await storeClip(output, id, part as FoldedClip["part"], own);
    }
}

async function storeClip(
  output: string,
  id: string,
  part: FoldedClip["part"],
  { model = "m", range = RANGE, labelled = true, shape = [256] }: Made,
) {
  const digest = digestOf(id);
  const keyParts = {
    source: digest,
    steps: [{ stage: "encode-features", version: 1, options: {}, models: { anclaf: digestOf(model) } }],
  };
  const clip = { id, group: id, fold: 1, folds: 3, part, digest: digestOf("split"), labelled: 5 };
  const ledger = new Ledger();
  await using writer = await LatentWriter.open({
    output,
    source: { name: `synth/fold-1/${id}`, bytes: 9, digest },
    key: digestOf(keyParts),
    keyParts,
    facts: { clip, labels: { dataset: "synth", ...RANGE }, ...(range !== null && { range }) },
  });
  const random = seeded(id);
  const frames = 5 + (id.charCodeAt(0) % 7);
  for (let index = 0; index < frames; index++) {
    const face = index !== 2;
    for (const name of ["demuxed", "decoded", "sampled"] as const) ledger.add(name);
    ledger.row(face ? "ok" : "no_face");
    await writer.append({
      kind: "latent",
      index,
      pts: index * 40_000,
      status: face ? "ok" : "no_face",
      track: face ? 0 : -1,
      shot: 0,
      box: null,
      score: 1,
      landmarks: null,
      ...(labelled && index !== 3 && { label: { valence: random.uniform(-9, 9), arousal: random.uniform(-9, 9) } }),
      z: face ? Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.uniform(-1, 1)) : null,
      shape,
      q: null,
    });
  }
  await writer.publish({ verdict: "complete", counts: ledger.counts });
}

function training(input: string, output: string, changed: Record<string, Json> = {}): BoundPipeline {
  const { windows = [2, 4], ...options } = changed;
  const text = JSON.stringify({
    train: {
      about: "…",
      steps: [
        { "read-latents": { input, by: "fold", values: false } },
        { "window-sequences": { n: windows } },
        { "train-seq": { output, n: 4, steps: 6, validateEvery: 3, batchFrames: 16, threads: 1, ...options } },
      ],
    },
  });
  return bind(parsePipelines(text, "pipelines.yaml", stages).pipelines.train!, stages, {}, []);
}

const train = (input: string, output: string, changed: Record<string, Json> = {}) =>
  run(training(input, output, changed), { stages });

const filesIn = async (output: string, rung: string) =>
  Promise.all(
    ["predictions.csv", "log.jsonl", "model.safetensors", "result.json"].map((name) =>
      readFile(join(output, "fold-1", rung, name), "latin1"),
    ),
  );

let place: string;
let cache: string;
/** Trained without an interruption. */
let whole: string;
const short = { n: 2, steps: 12 };
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), "train-seq-"));
  [cache, whole] = [join(place, "cache"), join(place, "whole")];
  await store(cache);
  expect((await train(cache, whole, short)).exitCode).toBe(0);
}, 300_000);
afterAll(() => rm(place, { recursive: true, force: true }));

const timing = () => readFile(join(whole, "fold-1", "anclaf-s-2", "timing.jsonl"), "utf8");

describe("train-seq", () => {
  test("goes the whole way, tests every face once, and takes what is finished", { timeout: 300_000 }, async () => {
    const before = await timing();
    const { report, outcomes } = await train(cache, whole, { ...short, controls: true });
    expect(report.items).toMatchObject([{ source: { name: "fold-1" }, status: "done" }]);
    expect(outcomes[0]!.facts).toMatchObject({ model: "anclaf-sa-2", metrics: { "ccc V": expect.any(Number) } });
    const found = await resultsIn(join(whole, "fold-1"));
    const names = ["anclaf-s-2", "anclaf-sa-2", "frame-2", "longer-2", "shuffled-2", "uniform-2"];
    expect(found.map(({ folder }) => folder.split("/").at(-1)!).sort()).toEqual(names);
    // Two test clips, of 9 and 10 frames: one of each without a face, one without a label.
    const faces = ["f", "g"].flatMap((clip, i) => Array.from({ length: 9 + i }, (_, t) => `${clip} ${t}`));
    for (const { folder, result } of found) {
      const steps = await readStepPredictions(folder);
      expect(steps.map(({ clip, frame }) => `${clip} ${frame}`).sort()).toEqual(
        faces.filter((face) => !face.endsWith(" 2")).sort(),
      );
      const known = steps.filter(({ valence }) => !Number.isNaN(valence));
      expect(steps.length - known.length).toBe(2);
      const { ccc } = metricsOf(
        known.map((step) => step.predictedValence),
        known.map((step) => step.valence),
      );
      expect(result.metrics["ccc V"]).toBeCloseTo(ccc, 10);
      // Whoever scores with it must have the frame model that made what it learned from.
      expect((await readCheckpoint(join(folder, "model.safetensors"))).metadata.encoder).toBe(digestOf("m"));
      expect(result.facts).toMatchObject({ dataset: "synth", n: Number(folder.at(-1)), seed: 1, range: RANGE });
    }
    const attention = await readAttention(join(whole, "fold-1", "anclaf-sa-2"));
    // The weights of a step sum to 1, unless the one frame before it has no face.
    const sums = attention.map(({ weights }) => Array.from(weights).reduce((a, b) => a + b, 0));
    expect(new Set(sums.map((sum) => sum.toFixed(4)))).toEqual(new Set(["0.0000", "1.0000"]));
    expect(attention.filter(({ step }, i) => step === 1 && sums[i] === 0).map(({ frame }) => frame)).toEqual([3, 3]);
    expect(attention.filter(({ scored }) => scored).length).toBe(faces.length);

    expect((await train(cache, whole, { ...short, controls: true })).report.items[0]!.status).toBe("cached");
    // A longer way takes what is there.
    expect((await train(cache, whole, { model: "anclaf-s", steps: 12 })).report.items[0]!.status).toBe("done");
    expect(await timing()).toBe(before);
    const longer = (await resultsIn(join(whole, "fold-1"))).find(({ folder }) => folder.endsWith("anclaf-s-4"))!.result;
    const first = found.find(({ folder }) => folder.endsWith("anclaf-s-2"))!.result;
    expect(longer.keyParts).toMatchObject({ from: first.key });
  });

  const resultOf = (output: string) => readFile(join(output, "fold-1", "result.json"), "utf8");
  let uninterrupted: string;
  test("two uninterrupted runs give the same bytes", { timeout: 300_000 }, async () => {
    const again = await temporary();
    expect((await train(cache, again, short)).exitCode).toBe(0);
    for (const rung of ["anclaf-s-2", "anclaf-sa-2"])
      expect(await filesIn(again, rung), rung).toEqual(await filesIn(whole, rung));
    uninterrupted = await resultOf(again);
  });

  test("interrupted in the second training, goes on there and ends with the same bytes", {
    timeout: 300_000,
  }, async () => {
    const parted = await temporary();
    const drain = new AbortController();
    const progress = {
      begin: (state: { current: Map<string, { share: number } | null> }) => {
        const timer = setInterval(() => {
          if ([...state.current.values()].some((standing) => standing !== null && standing.share > 0.6)) {
            drain.abort(new Error("enough"));
            clearInterval(timer);
          }
        }, 1);
      },
      item() {},
      note() {},
      end() {},
    };
    const cut = await run(training(cache, parted, short), { stages, drain: drain.signal, progress });
    expect(cut.exitCode).toBe(130);
    expect(await resultsIn(parted)).toEqual([]);
    const finished = (await resultsIn(join(parted, "fold-1"))).map(({ folder }) => folder.split("/").at(-1));
    expect(finished).toContain("anclaf-s-2");
    expect(finished).not.toContain("anclaf-sa-2");
    // As if it had been killed while it published: what is not named by a result is made again.
    await rm(join(parted, "fold-1", "anclaf-s-2", "result.json"));
    expect((await train(cache, parted, short)).exitCode).toBe(0);
    for (const rung of ["anclaf-s-2", "anclaf-sa-2"])
      expect(await filesIn(parted, rung), rung).toEqual(await filesIn(whole, rung));
    expect(await resultOf(parted)).toBe(uninterrupted);
    const other = await train(cache, parted, { ...short, seed: 2 });
    expect(other.report.items[0]!.reason).toContain("seed was 1, now it is 2");
  });

  test("refuses what cannot be trained on, with the field", { timeout: 120_000 }, async () => {
    const reason = async (made: Made, changed: Record<string, Json> = {}) => {
      const [cache, output] = [await temporary(), await temporary()];
      await store(cache, made);
      const said = await train(cache, output, changed).then(
        ({ report }) => report.items[0]!.reason,
        (error: Error & { hint?: string }) => `${error.message} ${error.hint}`,
      );
      expect(await resultsIn(join(output, "fold-1"))).toEqual([]);
      return said;
    };
    expect(await reason({ model: "other", only: "c" })).toContain("encode-features.models.anclaf");
    expect(await reason({ labelled: false })).toContain("people has a label");
    expect(await reason({}, { windows: 12 })).toContain("no windows of 2 steps; there are of 12");
  });

  test("on latents begins with the frame model that made them, or afresh where that is asked for", {
    timeout: 120_000,
  }, async () => {
    const [cache, output, models] = [await temporary(), await temporary(), await temporary()];
    await store(cache, { shape: [68, 16, 16] });
    const short = { windows: [2], n: 2, model: "anclaf-s", steps: 1, validateEvery: 1, batchFrames: 4, models };
    const { report } = await train(cache, output, short);
    expect(report.items[0]!.reason).toContain("holds no finished training of fold 1");
    expect(report.items[0]!.reason).toContain("or begin with fresh weights: --encoder fresh");
    expect(await readdir(join(output, "fold-1"))).toEqual([]);
    expect((await train(cache, output, { ...short, encoder: "fresh" })).report.items[0]!.status).toBe("done");
    const [training] = await resultsIn(join(output, "fold-1"));
    expect(training!.result.keyParts).toMatchObject({ frame: null, options: { encoder: "fresh" } });
  });

  test("names a shard that is missing or damaged before the first epoch", { timeout: 120_000 }, async () => {
    const [cache, output] = [await temporary(), await temporary()];
    await store(cache);
    const shards = (await readdir(cache, { recursive: true })).filter((name) => name.endsWith("z-00000.arrow"));
    await truncate(join(cache, shards[0]!), 100);
    const { report } = await train(cache, output);
    expect(report.items[0]!.reason).toContain("z-00000.arrow is truncated: 100 bytes");
    expect(await readdir(join(output, "fold-1", "anclaf-s-2")).catch(() => [])).toEqual([]);
  });
});
