import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openEntry } from "../../../src/cache/entry.ts";
import { entryFolders } from "../../../src/cache/layout.ts";
import { synthFaces } from "../../../src/datasets/synth/faces.ts";
import { readFacesTruth } from "../../../src/datasets/synth/faces-truth.ts";
import { exportWeights } from "../../../src/nn/fit/export.ts";
import { initialise } from "../../../src/nn/init.ts";
import { bind, load, run } from "../../../src/pipelines/index.ts";
import { packageRoot } from "../../../src/pipelines/package.ts";
import type { FoldedClip } from "../../../src/records.ts";
import { writeResult } from "../../../src/report/training-result.ts";
import { stages } from "../../../src/stages/index.ts";
import splitFaces from "../../../src/stages/split-faces.ts";
import { discriminatorParameters, generatorParameters } from "../../../src/systems/anclaf/networks.ts";
import { presets } from "../../../src/systems/anclaf/presets.ts";

const [CLIPS, FRAMES] = [20, 6];
let place: string;
beforeAll(async () => {
  place = await mkdtemp(path.join(tmpdir(), "sewa-latents-"));
});
afterAll(() => rm(place, { recursive: true, force: true }));

test("drawn videos in SEWA's layout, 50 pictures a second: every label goes to the latent of its own picture", async () => {
  const [data, store, models, output] = ["data", "store", "models", "out"].map((name) => path.join(place, name)) as [
    string,
    string,
    string,
    string,
  ];
  await synthFaces({ layout: "sewa", clips: CLIPS, frames: FRAMES, seed: 3, output: data });
  await model(path.join(models, "fold-0"), { data, store });
  const given = { data, models, output, fold: "0" };
  const bound = bind(load(path.join(packageRoot, "pipelines.yaml"), stages)["extract-faces"]!, stages, given, [
    `read-faces.store=${store}`,
  ]);
  const { report } = await run(bound, { stages });
  expect(report.items.map(({ reason }) => reason)).toEqual(Array(CLIPS).fill(undefined));

  const truth = new Map((await readFacesTruth(data)).map((clip) => [clip.clip, clip]));
  const folders = await entryFolders(output);
  expect(folders).toHaveLength(CLIPS);
  const parts = new Map<string, Set<string>>();
  for (const folder of folders) {
    using entry = await openEntry(folder);
    const { facts } = entry.marker;
    const { id, group, part } = facts.clip as unknown as FoldedClip;
    parts.set(group, (parts.get(group) ?? new Set()).add(part));
    const { valence, arousal, rate } = truth.get(id)!;
    expect(rate).toBe(50);
    const rows = [];
    for await (const { index, pts, status, z, labels } of entry.rows()) rows.push({ index, pts, status, z, labels });
    // Labels are kept as 32-bit floats in the store of faces.
    const label = (i: number) => ({
      valence: Math.fround(valence.label[i]!),
      arousal: Math.fround(arousal.label[i]!),
    });
    expect(rows).toEqual(
      Array.from({ length: FRAMES }, (_, i) => ({ index: i, pts: i * 20_000, status: "ok", z: i, labels: label(i) })),
    );
    expect(facts.range).toEqual({ valence: [-1, 1], arousal: [-1, 1] });
  }
  // Sessions hold two people, and stand in one part.
  expect(parts.size).toBe(5);
  for (const own of parts.values()) expect(own.size).toBe(1);
});

/** What a training of fold 0 leaves, with weights of a seed. */
async function model(folder: string, options: { data: string; store: string }): Promise<void> {
  const tools = { signal: new AbortController().signal, digest: async () => "", note() {} };
  const found = [];
  for await (const source of splitFaces.sources!(splitFaces.options.parse({ ...options, fold: "0" }), tools))
    found.push(source);
  const [source] = found;
  if (source === undefined || "refused" in source) throw new Error("there is no fold 0");
  await mkdir(folder, { recursive: true });
  const weights = initialise([...generatorParameters(presets.small), ...discriminatorParameters(presets.small)], 5);
  const more = { preset: "small", fold: "0 of 5", data: source.digest };
  const about = { trainedOn: "nothing", command: "a test", seed: 5, metrics: {}, more };
  await exportWeights(path.join(folder, "model.safetensors"), [weights], about, "f32");
  const result = { key: "k", keyParts: {}, fold: 0, folds: 5, ...options, metrics: {}, facts: {} };
  await writeResult(folder, { ...result, source: { name: source.name, digest: source.digest } }, ["model.safetensors"]);
}
