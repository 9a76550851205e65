import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { openEntry } from "../../src/cache/entry.ts";
import { entryFolders } from "../../src/cache/layout.ts";
import { recipeOf } from "../../src/cache/recipe.ts";
import { readTruth } from "../../src/datasets/synth/truth.ts";
import { digestFile, digestOf, type Json } from "../../src/digest.ts";
import { bind } from "../../src/pipelines/bind.ts";
import { load } from "../../src/pipelines/load.ts";
import { packageRoot } from "../../src/pipelines/package.ts";
import { type PlanItem, plan } from "../../src/pipelines/plan.ts";
import { run } from "../../src/pipelines/run.ts";
import type { Box, Crop, Source } from "../../src/records.ts";
import { looseContext } from "../../src/stages/context.ts";
import { stages } from "../../src/stages/index.ts";
import labelFaces from "../../src/stages/label-faces.ts";
import { iou } from "../../src/vision/boxes.ts";
import { temporary } from "../pipelines/temporary.ts";

const samples = path.join(packageRoot, "data/samples");
const pipelines = load(path.join(packageRoot, "pipelines.yaml"), stages);

let folder: string;
let source: Source;
beforeEach(async () => {
  folder = await temporary();
  source = { path: path.join(folder, "clip.mp4"), name: "clip.mp4", bytes: 9, digest: digestOf("clip") };
});

const put = (text: string) => writeFile(path.join(folder, "clip.labels.csv"), text);
const place = (x: number): Box => ({ x, y: 10, width: 40, height: 50 });

/** A row of a frame every 40 ms; `x` null where there is no face. */
function crop(index: number, x: number | null, track = 0): Crop {
  const subject = x === null ? { status: "no_face" as const, track: -1, box: null } : { track, box: place(x) };
  const rest = { shot: 0, score: 1, landmarks: null, frame: { width: 99, height: 99 } };
  const image = x === null ? null : { width: 1, height: 1, data: Uint8Array.of(index, track, 0) };
  return { kind: "crop", index, pts: index * 40_000, status: "ok", image, ...rest, ...subject };
}

async function labelled(crops: readonly Crop[], options: object = {}, keyParts: Json = {}, facts: object = {}) {
  const notes: string[] = [];
  await using context = looseContext({ source, keyParts, note: (line) => void notes.push(line) });
  // What extract-frames says of the video.
  Object.assign(context.facts, facts);
  async function* input(): AsyncGenerator<Crop, void, void> {
    yield* crops;
  }
  const rows: Crop[] = [];
  for await (const row of labelFaces(options).run(context)(input())) rows.push(row);
  return { rows, notes, facts: context.facts };
}
const valences = (rows: readonly Crop[]) => rows.map(({ label }) => label?.valence);

describe("label-faces", () => {
  it("hands every row on as it is where there is no label file, or none is wanted", async () => {
    const crops = [crop(0, 5), crop(1, null), crop(2, 6)];
    const none = await labelled(crops);
    expect(none.rows.every((row, i) => row === crops[i])).toBe(true);
    expect([none.facts, none.notes]).toEqual([{}, []]);
    await put("frame,valence,arousal\n0,1,1\n");
    const left = await labelled(crops, { labels: "none" });
    expect(left.rows.every((row, i) => row === crops[i])).toBe(true);
    expect((await labelled([])).rows).toEqual([]);
    expect((await labelled([crop(0, 5)])).rows[0]!.label).toEqual({ valence: 1, arousal: 1 });
  });

  it("gives a face the label of its time, and everything else stays; a frame without a face, or a label, has none", async () => {
    const lines = [0, 20, 40, 60, 80, 100, 120, 160].map((ms) => `${ms / 1000},${ms / 1000},${-ms / 1000}\n`);
    await put(`seconds,valence,arousal\n${lines.join("")}`);
    const crops = [crop(0, 5), crop(1, null), crop(2, 6), crop(4, 7), crop(9, 8)];
    const { rows, facts, notes } = await labelled(crops);
    expect(valences(rows)).toEqual([0, undefined, 0.08, 0.16, undefined]);
    for (const [i, { label, ...row }] of rows.entries()) expect(row).toEqual(crops[i]);
    expect(rows[2]!.label).toEqual({ valence: 0.08, arousal: -0.08 });
    expect(facts).toEqual({
      range: { valence: [-1, 1], arousal: [-1, 1] },
      labelled: 3,
      faces: 4,
      labelUse: { all: 8, taken: 4, before: 0, after: 0 },
    });
    expect(notes).toEqual(["labelled 3 of 4 faces."]);
  });

  it("draws a line between labels that are rarer than frames, where that is asked for", async () => {
    await put("time_us,valence,arousal\n0,0,0\n80000,1,-1\n");
    const crops = [0, 1, 2, 3].map((index) => crop(index, 5));
    expect(valences((await labelled(crops)).rows)).toEqual([0, undefined, 1, undefined]);
    expect(valences((await labelled(crops, { between: "linear" })).rows)).toEqual([0, 0.5, 1, undefined]);
    expect(valences((await labelled(crops, { between: "linear", maxGap: 0.05 })).rows)).toEqual([
      0,
      undefined,
      1,
      undefined,
    ]);
  });

  it("tells people apart by their boxes, writes down who was on which track, and says when a track changed hands", async () => {
    const line = (frame: number, who: string, x: number) =>
      `${frame},${who === "ada" ? 0.5 : -0.5},0,${who},${x},10,40,50\n`;
    const all = [0, 1, 2].flatMap((frame) => [line(frame, "ben", 50), line(frame, "ada", 2)]);
    await put(`frame,valence,arousal,subject,x,y,width,height\n${all.join("")}`);
    const crops = [
      ...[crop(0, 0, 0), crop(0, 52, 1), crop(0, 200, 2)],
      ...[crop(1, 0, 0), crop(1, 52, 1)],
      // Track 0 has gone over to the other face.
      ...[crop(2, 52, 0)],
    ];
    const { rows, facts, notes } = await labelled(crops);
    expect(valences(rows)).toEqual([0.5, -0.5, undefined, 0.5, -0.5, -0.5]);
    expect(facts).toMatchObject({ labelled: 5, subjects: { 0: "ada", 1: "ben" }, people: ["ben", "ada"] });
    expect(facts).not.toHaveProperty("subject");
    expect(facts.warnings).toEqual(["track 0 has labels of several people: ben 1, ada 2."]);
    expect(notes).toEqual([...(facts.warnings as string[]), "labelled 5 of 6 faces."]);
    // Whom a track is mostly not is a person of the clip all the same.
    const brief = await labelled([crop(0, 0, 0), crop(1, 0, 0), crop(2, 52, 0)]);
    expect(brief.facts).toMatchObject({ subjects: { 0: "ada" }, people: ["ben", "ada"] });
    // A frame alone is labelled as among others.
    expect(valences((await labelled(crops.slice(3, 5))).rows)).toEqual([0.5, -0.5]);
  });

  it("names the one person of a clip, and says where nobody can know whose a label is", async () => {
    await put("frame,valence,arousal,subject\n0,1,0,ada\n1,0.5,0,ada\n");
    const { rows, facts, notes } = await labelled([crop(0, 0, 4), crop(1, 0, 4), crop(1, 70, 5)]);
    expect(valences(rows)).toEqual([1, undefined, undefined]);
    expect(facts).toMatchObject({ subject: "ada", subjects: { 4: "ada" }, people: ["ada"], labelled: 1 });
    expect(notes).toEqual([
      expect.stringMatching(/^1 frame has labels and several faces or people, and clip\.labels/),
      "labelled 1 of 3 faces.",
    ]);
    const late = await labelled([crop(30, 0)]);
    expect(late.notes).toEqual([
      "2 of 2 labels in clip.labels.csv are on no frame: 2 before the first.",
      expect.stringMatching(/^none of its 1 faces has a label/),
    ]);
    expect(late.facts).toMatchObject({ labelled: 0, subject: "ada", subjects: {}, people: [] });
  });

  it("counts time from the file's first frame, as players do, or from the container's zero; frames are the file's", async () => {
    const crops = [0, 1, 2, 3].map((index) => ({ ...crop(index, 5), pts: 1_400_000 + index * 40_000 }));
    const late = { firstPts: 1_400_000 };
    await put("seconds,valence,arousal\n0,0.1,0\n0.04,0.2,0\n0.08,0.3,0\n0.12,0.4,0\n");
    expect(valences((await labelled(crops, {}, {}, late)).rows)).toEqual([0.1, 0.2, 0.3, 0.4]);
    const container = await labelled(crops, { labelClock: "container" }, {}, late);
    expect(valences(container.rows)).toEqual([undefined, undefined, undefined, undefined]);
    expect(container.facts.warnings).toContain("4 of 4 labels in clip.labels.csv are on no frame: 4 before the first.");
    // A part of the file: its first frame is still that of the file.
    expect(valences((await labelled(crops.slice(2), {}, {}, { ...late, part: { start: 1.48 } })).rows)).toEqual([
      0.3, 0.4,
    ]);
    await put("time_us,valence,arousal\n1440000,0.7,0\n");
    expect(valences((await labelled(crops, { labelClock: "container" }, {}, late)).rows)[1]).toBe(0.7);
    await put("frame,valence,arousal\n2,0.5,0\n");
    for (const labelClock of ["shown", "container"])
      expect(valences((await labelled(crops, { labelClock }, {}, late)).rows)[2]).toBe(0.5);
  });

  it("counts labels that no frame took, and warns of those before and after the video, unless a part was asked for", async () => {
    const crops = Array.from({ length: 100 }, (_, index) => crop(index, 5));
    const frames = (n: number) => Array.from({ length: n }, (_, i) => `${i},${i / 200},0\n`).join("");
    await put(`frame,valence,arousal\n${frames(150)}`);
    const more = await labelled(crops);
    expect(more.facts.labelUse).toEqual({ all: 150, taken: 100, before: 0, after: 50 });
    const warning = "50 of 150 labels in clip.labels.csv are on no frame: 50 after the last (99).";
    expect([more.facts.warnings, more.notes]).toEqual([[warning], [warning]]);
    expect((await labelled(crops, {}, {}, { part: { end: 4 } })).notes).toEqual([]);
    const start = await labelled(crops.slice(20), {}, {}, { part: { start: 0.8 } });
    expect(start.facts.labelUse).toEqual({ all: 150, taken: 80, before: 20, after: 50 });
    expect(start.notes).toEqual([warning]);
    // Clocks that run apart: the times of a film at 25 frames a second on a video at 30.
    const drift = Array.from({ length: 100 }, (_, i) => `${(i * 0.048).toFixed(3)},0,0\n`);
    await put(`seconds,valence,arousal\n${drift.join("")}`);
    const fast = await labelled(crops);
    expect(fast.facts).toMatchObject({ labelUse: { all: 100, taken: 83, before: 0, after: 16 } });
    expect(fast.notes[0]).toBe("16 of 100 labels in clip.labels.csv are on no frame: 16 after the last (3.96 s).");
    // One frame a second of a video of four seconds: what lies between its frames is no fault.
    await put(
      `seconds,valence,arousal\n${Array.from({ length: 100 }, (_, i) => `${(i * 0.04).toFixed(2)},0,0\n`).join("")}`,
    );
    const rare = await labelled([0, 25, 50, 75].map((index) => crop(index, 5)));
    expect(rare.facts.labelUse).toEqual({ all: 100, taken: 4, before: 0, after: 0 });
    expect(rare.notes).toEqual([]);
    expect((await labelled([])).facts).toMatchObject({ labelled: 0, labelUse: { all: 100, taken: 0, after: 100 } });
  });

  it("says how many faces are labelled, and how rare labels could be joined", async () => {
    const crops = Array.from({ length: 100 }, (_, index) => crop(index, 5));
    await put("seconds,valence,arousal\n0,0,0\n1,1,0\n2,0,0\n3,1,0\n");
    const sparse = await labelled(crops);
    expect(sparse.facts).toMatchObject({ labelled: 4, faces: 100 });
    expect(sparse.notes).toEqual([
      "labelled 4 of 100 faces. Its labels are 1 s apart and its frames 0.04 s; lines join them: --set label-faces.between=linear",
    ]);
    const joined = await labelled(crops, { between: "linear" });
    expect(joined.facts).toMatchObject({ labelled: 76, labelUse: { all: 4, taken: 4 } });
    expect(joined.notes).toEqual(["labelled 76 of 100 faces."]);
    await put("seconds,valence,arousal\n0,0,0\n2,1,0\n");
    expect((await labelled(crops)).notes[0]).toMatch(/between=linear --set label-faces\.maxGap=2$/);
  });

  it("takes the spellings of a name for one person, and says so", async () => {
    await put("frame,valence,arousal,subject\n0,1,0,Ada\n1,0.5,0,ada\n");
    const { facts } = await labelled([crop(0, 0), crop(1, 0)]);
    expect(facts).toMatchObject({ subject: "Ada", people: ["Ada"], subjects: { 0: "Ada" } });
    expect(facts.warnings).toEqual(["clip.labels.csv names Ada and ada: they are taken for one person."]);
  });

  it("asks for labels where they are required, and refuses a file that was changed since the run was planned", async () => {
    await expect(labelled([], { labels: "required" })).rejects.toThrow(/clip\.mp4 has no labels: there is no .*\.csv/);
    await put("frame,valence,arousal\n0,1,0\n");
    const digest = await digestFile(path.join(folder, "clip.labels.csv"));
    const parts = (files: Json | undefined): Json => ({ source: "s", steps: [{ stage: "crop-faces" }, { files }] });
    expect((await labelled([crop(0, 0)], {}, parts({ labels: digest }))).facts.labelled).toBe(1);
    for (const files of [{ labels: "another" }, undefined])
      await expect(labelled([crop(0, 0)], {}, parts(files))).rejects.toThrow(/were changed after this run had looked/);
    await put("frame,valence,arousal\n0,2,0\n");
    const wide = labelled([crop(0, 0)], { valence: [0, 2] });
    expect((await wide).facts.range).toEqual({ valence: [0, 2], arousal: [-1, 1] });
    await expect(labelled([crop(0, 0)])).rejects.toThrow(/clip\.labels\.csv, line 2: valence is 2, outside/);
    expect(() => labelFaces({ valence: [1, 0] })).toThrow(/lowest value and then the highest/);
  });
});

describe("in extract-latents", () => {
  const output = () => path.join(folder, "out");
  const bound = (given: Record<string, Json> = {}) =>
    bind(pipelines["extract-latents"]!, stages, { input: [folder], output: output(), fps: 1, ...given });
  const planned = async (given: Record<string, Json> = {}): Promise<PlanItem[]> => {
    const items: PlanItem[] = [];
    for await (const { item } of plan(bound(given), { stages })) items.push(item);
    return items;
  };
  const brief = (items: readonly PlanItem[]) => items.map(({ source, action, why }) => [source.name, action, why]);

  it("each face has its own person's label; a changed label file recomputes its own video alone, and plan names it", async () => {
    for (const name of ["one-face", "two-faces"])
      await copyFile(path.join(samples, `${name}.mp4`), path.join(folder, `${name}.mp4`));
    const labels = path.join(folder, "two-faces.labels.csv");
    await copyFile(path.join(samples, "two-faces.labels.csv"), labels);
    expect((await run(bound(), { stages })).exitCode).toBe(0);

    const truth = await readTruth(path.join(samples, "two-faces.json"));
    const seen = { labelled: 0, plain: 0 };
    const recipes = new Set<string>();
    for (const entryFolder of await entryFolders(output())) {
      using entry = await openEntry(entryFolder);
      const { facts, source, keyParts } = entry.marker;
      recipes.add(recipeOf(keyParts));
      for await (const { index, pts, box, labels } of entry.rows())
        if (source.name === "one-face.mp4") {
          expect(labels).toBeNull();
          seen.plain += 1;
        } else {
          const frame = truth.frames[index]!;
          expect(frame.pts).toBe(pts);
          const whose = frame.faces.find(({ box: [x, y, width, height] }) => {
            const round = { x: x!, y: y!, width: width!, height: height! };
            return iou(round, box!) > 0.4;
          })!;
          expect(labels).toEqual({ valence: whose.valence, arousal: whose.arousal });
          seen.labelled += 1;
        }
      // At one frame a second a person who walks is a new track each time.
      const people = Object.values((facts.subjects ?? {}) as Record<string, string>);
      expect([...new Set(people)]).toEqual(source.name === "one-face.mp4" ? [] : ["cleo", "ben"]);
    }
    expect(seen).toEqual({ labelled: 8, plain: 4 });
    expect(recipes.size).toBe(1);

    expect((await planned()).map(({ action }) => action)).toEqual(["cached", "cached"]);
    expect((await planned({ labels: "required" })).map(({ action }) => action)).toEqual(["refused", "cached"]);
    const text = await readFile(labels, "utf8");
    await writeFile(labels, text.replace("0,-0.432,", "0,-0.431,"));
    const changed = /^label-faces\.files\.labels: [0-9a-f]{4}… → [0-9a-f]{4}…$/;
    expect(brief(await planned())).toEqual([
      ["one-face.mp4", "cached", expect.any(String)],
      ["two-faces.mp4", "run", expect.stringMatching(changed)],
    ]);
    expect((await planned({ labels: "none" }))[1]!.why).toMatch(/^label-faces\.files\.labels: [0-9a-f]{4}… → none$/);
    await writeFile(labels, text.replace("0,-0.432,", "0,-43,"));
    expect(brief(await planned())[1]).toEqual([
      "two-faces.mp4",
      "refused",
      expect.stringMatching(/^two-faces\.labels\.csv, line 3: valence is -43, outside the declared range -1\.\.1/),
    ]);
    const failed = await run(bound(), { stages });
    expect(failed.report.items.map(({ status }) => status)).toEqual(["cached", "failed"]);

    // A label file that belongs to nothing is named, once, in a plan and in a run.
    await writeFile(path.join(folder, "two_faces.labels.csv"), text);
    const stray = `${path.join(folder, "two_faces.labels.csv")} belongs to no video: no file beside it is named two_faces.`;
    const said: string[] = [];
    for await (const _ of plan(bound(), { stages, note: (line) => void said.push(line) }));
    expect(said.filter((line) => line.includes("belongs to"))).toEqual([stray]);
    await rm(path.join(folder, "two_faces.labels.csv"));

    await rm(labels);
    const without = await run(bound(), { stages });
    expect(without.report.items.map(({ status }) => status)).toEqual(["cached", "done"]);
    await writeFile(labels, text);
    expect((await planned()).map(({ action }) => action)).toEqual(["cached", "cached"]);
  });
});
