import { appendFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { LatentWriter } from "../../src/cache/writer.ts";
import { digestOf, type Json } from "../../src/digest.ts";
import { Ledger } from "../../src/ledger.ts";
import { bind, parsePipelines, run } from "../../src/pipelines/index.ts";
import { seeded } from "../../src/random.ts";
import type { FoldedClip } from "../../src/records.ts";
import { readStepPredictions } from "../../src/report/sequence-files.ts";
import { stages } from "../../src/stages/index.ts";
import { temporary } from "../pipelines/temporary.ts";

const RANGE = { valence: [-10, 10], arousal: [-10, 10] };
const PARTS = {
  a: "training",
  b: "training",
  c: "training",
  d: "validation",
  e: "validation",
  f: "test",
  g: "test",
} as const;
type Id = keyof typeof PARTS;
const ALL = Object.keys(PARTS) as Id[];

interface Clip {
  frames?: number;
  /** Frames without a face. */
  missing?: (index: number) => boolean;
  label?: (index: number) => { valence: number; arousal: number } | undefined;
  /** What its key says of how its latents were made. */
  crop?: number;
  version?: number;
  checkpoint?: string;
}

/** Features of a fold's clips, all alike but for what is given for some. */
async function store(output: string, clips: Partial<Record<Id, Clip>> = {}, all: Clip = {}): Promise<Map<Id, string>> {
  const folders = new Map<Id, string>();
  for (const id of ALL) folders.set(id, await storeClip(output, id, { ...all, ...clips[id] }));
  return folders;
}

async function storeClip(output: string, id: Id, clip: Clip): Promise<string> {
  const { frames = 5, missing = () => false, crop = 0.25, version = 1, checkpoint = "trained" } = clip;
  const random = seeded(id);
  const label = clip.label ?? (() => ({ valence: random.uniform(-9, 9), arousal: random.uniform(-9, 9) }));
  const digest = digestOf(id);
  const steps = [
    { stage: "crop-faces", version, options: { margin: crop }, models: {} },
    { stage: "encode-latents", version: 1, options: {}, models: { anclaf: digestOf(checkpoint) } },
  ];
  const keyParts = { source: digest, steps };
  const part: FoldedClip["part"] = PARTS[id];
  const facts = {
    clip: { id, group: id, fold: 0, folds: 3, part, digest: digestOf("split"), labelled: 5 },
    range: RANGE,
  };
  const ledger = new Ledger();
  const source = { name: `synth/fold-0/${id}`, bytes: 9, digest };
  await using writer = await LatentWriter.open({ output, source, key: digestOf(keyParts), keyParts, facts });
  for (let index = 0; index < frames; index++) {
    const face = !missing(index);
    for (const name of ["demuxed", "decoded", "sampled"] as const) ledger.add(name);
    ledger.row(face ? "ok" : "no_face");
    const said = label(index);
    const subject = {
      index,
      pts: index * 40_000,
      shot: 0,
      box: null,
      score: 1,
      landmarks: null,
      q: null,
      shape: [256],
    };
    await writer.append({
      kind: "latent",
      ...subject,
      status: face ? "ok" : "no_face",
      track: face ? 0 : -1,
      ...(said && { label: said }),
      z: face ? Float32Array.from({ length: 256 }, () => random.uniform(-1, 1)) : null,
    });
  }
  return (await writer.publish({ verdict: "complete", counts: ledger.counts })).path;
}

async function train(input: string, output: string, notes: string[] = []) {
  const options: Json = {
    output,
    model: "anclaf-s",
    n: 2,
    curriculum: [],
    steps: 4,
    validateEvery: 2,
    batchFrames: 16,
    threads: 1,
  };
  const text = JSON.stringify({
    train: {
      about: "…",
      steps: [
        { "read-latents": { input, by: "fold", values: false } },
        { "window-sequences": { n: [2] } },
        { "train-seq": options },
      ],
    },
  });
  const pipeline = bind(parsePipelines(text, "pipelines.yaml", stages).pipelines.train!, stages, {}, []);
  const progress = { begin() {}, item() {}, note: (line: string) => notes.push(line), end() {} };
  return run(pipeline, { stages, progress });
}

/** Why a training did not begin: of the run or of its fold. Nothing was made that looks like one. */
async function refusal(input: string): Promise<string> {
  const output = await temporary();
  const said = await train(input, output).then(
    ({ report }) => report.items[0]!.reason ?? "it was trained",
    (error: Error & { hint?: string }) => `${error.message} ${error.hint}`,
  );
  const made = (await readdir(output, { recursive: true })).filter((name) =>
    /safetensors|log\.jsonl|result\.json/.test(name),
  );
  expect(made).toEqual([]);
  return said;
}

describe("latents that do not go together are refused, and the field is named", () => {
  const cases: [string, Clip, RegExp][] = [
    ["another checkpoint", { checkpoint: "another" }, /encode-latents\.models\.anclaf="[0-9a-f]{64}"/],
    ["another crop", { crop: 0.3 }, /crop-faces\.options\.margin=0\.25[\s\S]*crop-faces\.options\.margin=0\.3/],
    ["another version of a stage", { version: 2 }, /crop-faces\.version=1[\s\S]*crop-faces\.version=2/],
  ];
  test.each(cases)("%s", async (_, clip, field) => {
    const input = await temporary();
    await store(input, { c: clip });
    const said = await refusal(input);
    expect(said).toMatch(/^The folder holds latents made in 2 ways, which do not go together\./);
    expect(said).toMatch(field);
    // What is the same in both is not in the way of reading it.
    expect(said.match(/(crop-faces|encode-latents)\.\S+?=/g)).toHaveLength(2);
  });
});

describe("a shard is named before the first epoch", () => {
  const shard = "z-00000.arrow";
  const cases: [string, Id, (file: string) => Promise<void>, string][] = [
    ["missing, of training people", "b", (file) => rm(file), `${shard} is missing`],
    ["missing, of those who are tested last", "g", (file) => rm(file), `${shard} is missing`],
    ["grown", "d", (file) => appendFile(file, "x"), `${shard} has grown`],
    ["changed by a byte, at its old size", "a", flip, `${shard} was changed`],
  ];
  async function flip(file: string): Promise<void> {
    const bytes = await readFile(file);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(file, bytes);
  }
  test.each(cases)("%s", async (_, id, harm, words) => {
    const input = await temporary();
    const folders = await store(input);
    await harm(join(folders.get(id)!, shard));
    const said = await refusal(input);
    expect(said).toContain(words);
    expect(said).toContain(folders.get(id)!);
    expect(said).toContain("Run the pipeline that made it again");
  });
});

describe("labels and faces that are not there", () => {
  test("none at all, none of those who train, none of those who validate", async () => {
    const none = { label: () => undefined };
    for (const ids of [ALL, ["a", "b", "c"], ["d", "e"]] as Id[][]) {
      const input = await temporary();
      await store(input, Object.fromEntries(ids.map((id) => [id, none])));
      expect(await refusal(input)).toMatch(ids[0] === "d" ? /validation people/ : /training people/);
    }
  });

  test("no face in any frame", async () => {
    const input = await temporary();
    await store(input, {}, { missing: () => true });
    expect(await refusal(input)).toMatch(/no (windows|face)/i);
  });

  test("a clip without a face, one of a single frame, and labels that are no numbers do no harm to the others", {
    timeout: 120_000,
  }, async () => {
    const [input, output] = [await temporary(), await temporary()];
    const spoilt = (index: number) => ({
      valence: index === 1 ? Number.NaN : 3,
      arousal: index === 3 ? Number.NaN : -3,
    });
    await store(input, {
      a: { missing: () => true },
      b: { frames: 1 },
      c: { label: spoilt },
      e: { frames: 1 },
      f: { label: spoilt },
      g: { frames: 1 },
    });
    const { report, outcomes } = await train(input, output);
    expect(report.items.map(({ status, reason }) => [status, reason])).toEqual([["done", undefined]]);
    for (const value of Object.values(outcomes[0]!.facts.metrics as Record<string, number>))
      expect(value).not.toBeNaN();
    const steps = await readStepPredictions(join(output, "fold-0/anclaf-s-2"));
    expect(steps.map(({ clip, frame }) => `${clip} ${frame}`).sort()).toEqual([
      "f 0",
      "f 1",
      "f 2",
      "f 3",
      "f 4",
      "g 0",
    ]);
    for (const { clip, frame, valence, arousal, predictedValence, predictedArousal } of steps) {
      expect([predictedValence, predictedArousal].every(Number.isFinite)).toBe(true);
      // Half a label is none: it is told, and not counted.
      const known = !(clip === "f" && (frame === 1 || frame === 3));
      expect([valence, arousal].map(Number.isFinite)).toEqual([known, known]);
    }
    const log = await readFile(join(output, "fold-0/anclaf-s-2/log.jsonl"), "utf8");
    // After the settings, which may leave things open, come numbers.
    for (const line of log.trim().split("\n").slice(1)) expect(line).not.toMatch(/NaN|null/);
  });
});
