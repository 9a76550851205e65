import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readAfewVa } from "../../../src/datasets/afew-va.ts";
import { readSewa } from "../../../src/datasets/sewa.ts";
import { type FacesOptions, type SynthesisedFaces, synthFaces } from "../../../src/datasets/synth/faces.ts";
import { readFacesTruth } from "../../../src/datasets/synth/faces-truth.ts";
import { readOracle } from "../../../src/datasets/synth/oracle-file.ts";
import { oracleScores, oracleTable, predictTrack } from "../../../src/datasets/synth/oracle-scores.ts";
import { digestOf } from "../../../src/digest.ts";
import { PipeError } from "../../../src/errors.ts";
import { decode } from "../../../src/media/index.ts";

let root: string;
const made = new Map<string, SynthesisedFaces>();
const SMALL = { clips: 3, frames: 5, actors: 2, seed: 7 } as const;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "synth-faces-"));
  for (const layout of ["afew-va", "sewa"] as const)
    made.set(layout, await synthFaces({ ...SMALL, layout, output: join(root, layout), concurrency: 1 }));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function filesIn(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const digests = files.sort().map(async (file) => [file.slice(folder.length + 1), digestOf(await readFile(file))]);
  return Object.fromEntries(await Promise.all(digests));
}

describe.each(["afew-va", "sewa"] as const)("faces in the layout of %s", (layout) => {
  const folder = () => join(root, layout);
  const read = () => (layout === "afew-va" ? readAfewVa(folder()) : readSewa(folder()));

  test("say what was made", () => {
    expect(made.get(layout)).toMatchObject({ folder: folder(), clips: 3, frames: 15, made: true });
  });

  test("are read by the dataset's reader, every frame of them", async () => {
    const { clips, labelled, skipped } = await read();
    expect(labelled).toBe(15);
    expect(skipped).toEqual([]);
    expect(clips.map(({ frames }) => frames.map(({ id }) => id))).toEqual(Array(3).fill([0, 1, 2, 3, 4]));
    // Actors take turns; a session of SEWA holds two of them.
    const people = layout === "afew-va" ? ["actor-001", "actor-002", "actor-001"] : ["S001", "S001", "S001"];
    expect(clips.map(({ group }) => group)).toEqual(people);
  });

  test("have labels that are the truth, rounded as the layout does", async () => {
    const truth = new Map((await readFacesTruth(folder())).map((clip) => [clip.clip, clip]));
    for (const { id, frames } of (await read()).clips)
      for (const [i, frame] of frames.entries())
        for (const dimension of ["valence", "arousal"] as const) {
          const label = truth.get(id)![dimension].label[i]!;
          if (layout === "sewa") expect(frame[dimension]).toBe(label);
          else {
            expect(Number.isInteger(frame[dimension])).toBe(true);
            expect(Math.abs(frame[dimension] - 10 * label)).toBeLessThanOrEqual(0.5 + 1e-3);
          }
        }
  });

  test("have every landmark inside the picture", async () => {
    const [width, height] = layout === "afew-va" ? [192, 160] : [320, 240];
    for (const { frames } of (await read()).clips)
      for (const { landmarks } of frames)
        for (const [i, value] of landmarks.entries()) {
          expect(value).toBeGreaterThan(0);
          expect(value).toBeLessThan(i % 2 === 0 ? width : height);
        }
  });

  test("are the same bytes however many frames are drawn at a time, and others for another seed", async () => {
    const again = join(root, `${layout}-again`);
    await synthFaces({ ...SMALL, layout, output: again, concurrency: 7 });
    expect(await filesIn(again)).toEqual(await filesIn(folder()));
    const other = join(root, `${layout}-other`);
    await synthFaces({ ...SMALL, layout, output: other, seed: 8 });
    const [a, b] = [await filesIn(folder()), await filesIn(other)];
    expect(Object.keys(b)).toEqual(Object.keys(a));
    for (const name of Object.keys(a)) if (!name.endsWith("metadata.ini")) expect(b[name], name).not.toBe(a[name]);
  });

  test("tell what the best predictors reach, and their truth gives the same again", async () => {
    const { oracle, rate } = await readOracle(folder());
    const truth = await readFacesTruth(folder());
    expect(oracle).toEqual(oracleTable(truth, rate));
    expect(oracle.valence.map(({ n, milliseconds }) => [n, milliseconds])).toEqual(
      [1, 2, 4, 8, 16, 32].map((n) => [n, 20 * n]),
    );
    expect(oracle.valence[0]!.sliding.frames).toBe(15);
    expect(oracle.valence[0]!.sliding).toEqual(oracle.valence[0]!.chunks);
    // No clip is longer than five frames, so longer windows see no more.
    expect(oracle.arousal[5]!.sliding).toEqual(oracle.arousal[3]!.sliding);
    expect(oracleScores(truth.slice(0, 1), "arousal", 4).frames).toBe(5);
  });

  test("may be a single frame of a single clip", async () => {
    const output = join(root, `${layout}-one`);
    const { oracle } = await synthFaces({ layout, clips: 1, frames: 1, output });
    expect(oracle.oracle.valence[3]!.sliding).toMatchObject({ ccc: 0, cor: 0, frames: 1 });
    const { clips } = await (layout === "afew-va" ? readAfewVa(output) : readSewa(output));
    expect(clips.map(({ frames }) => frames.length)).toEqual([1]);
  });

  test("leave nothing behind when they are interrupted", async () => {
    const controller = new AbortController();
    const output = join(root, "stopped", layout);
    const onClip = () => controller.abort();
    const work = synthFaces({ ...SMALL, layout, output, signal: controller.signal, onClip });
    await expect(work).rejects.toThrow(/abort/i);
    expect(await readdir(join(root, "stopped"))).toEqual([]);
  });
});

describe("a folder", () => {
  const make = (options: Partial<FacesOptions>) => synthFaces({ ...SMALL, output: join(root, "afew-va"), ...options });

  test("that holds exactly this stays as it is", async () => {
    const before = await filesIn(join(root, "afew-va"));
    const { made: again, ...rest } = await make({});
    expect(again).toBe(false);
    expect(rest).toEqual({ ...made.get("afew-va"), made: undefined, ...rest });
    expect(rest.oracle).toEqual(await readOracle(join(root, "afew-va")));
    expect(await filesIn(join(root, "afew-va"))).toEqual(before);
  });

  test("that holds drawn faces of another kind, or anything else, is not touched", async () => {
    await expect(make({ seed: 9, frames: 6 })).rejects.toThrow(/holds drawn faces with another frames, seed\.$/);
    const mine = join(root, "mine");
    await mkdir(mine);
    await writeFile(join(mine, "thesis.txt"), "chapter 1");
    const refused = make({ output: mine });
    await expect(refused).rejects.toThrow(PipeError);
    await expect(refused).rejects.toThrow(`${mine} holds something else.`);
    await expect(make({ output: join(mine, "thesis.txt") })).rejects.toThrow(/thesis\.txt holds something else/);
    expect(await readdir(mine)).toEqual(["thesis.txt"]);
  });

  test("that is empty is filled", async () => {
    const output = join(root, "empty");
    await mkdir(output);
    await make({ output, clips: 1, frames: 1, actors: 1 });
    expect((await readdir(output)).sort()).toEqual(["001", "oracle.json", "truth.jsonl"]);
  });

  test.each([
    [{ clips: 0 }, "clips must be a whole number from 1 to 999, got 0."],
    [{ clips: 1000 }, "clips must be a whole number from 1 to 999, got 1000."],
    [{ frames: 1.5 }, "frames must be a whole number from 1 to 99999, got 1.5."],
    [{ actors: 4 }, "actors must be a whole number from 1 to 3, got 4."],
    [{ concurrency: 0 }, "concurrency must be a whole number of at least 1, got 0."],
    [{ rate: 30 as never }, "There is no rate of 30 frames per second."],
    [{ layout: "emotic" as never }, 'There is no layout "emotic".'],
  ])("is not made for %j", async (options, message) => {
    await expect(make({ output: join(root, "never"), ...options })).rejects.toThrow(message);
    expect(await readdir(root)).not.toContain("never");
  });

  test("without truth or oracle is named", async () => {
    await expect(readFacesTruth(root)).rejects.toThrow(/truth\.jsonl is not the truth of drawn faces/);
    await expect(readOracle(root)).rejects.toThrow(/oracle\.json does not tell/);
    await writeFile(join(root, "truth.jsonl"), `${JSON.stringify({ clip: "001" })}\n`);
    await expect(readFacesTruth(root)).rejects.toThrow(/truth\.jsonl, line 1, is not/);
  });
});

describe("the details of AFEW-VA", () => {
  test("one JSON and one picture a frame, with the dataset's own names and types", async () => {
    const folder = join(root, "afew-va", "002");
    expect((await readdir(folder)).sort()).toEqual([..."01234"].map((i) => `0000${i}.png`).concat("002.json"));
    const json = JSON.parse(await readFile(join(folder, "002.json"), "utf8"));
    expect(Object.keys(json)).toEqual(["actor", "frames", "video_id"]);
    expect(json).toMatchObject({ actor: "actor-002", video_id: "002" });
    expect(Object.keys(json.frames["00003"])).toEqual(["arousal", "landmarks", "valence"]);
    expect(json.frames["00003"].landmarks).toHaveLength(68);
    const picture = await sharp(join(folder, "00003.png")).metadata();
    expect(picture).toMatchObject({ format: "png", width: 192, height: 160, channels: 3 });
  });

  test("a face is drawn where its landmarks say: skin inside the jaw is not the wall's colour", async () => {
    const [clip] = (await readAfewVa(join(root, "afew-va"))).clips;
    const { data, info } = await sharp(join(root, "afew-va", "001", "00000.png"))
      .raw()
      .toBuffer({ resolveWithObject: true });
    const at = (x: number, y: number) =>
      [0, 1, 2].map((c) => data[3 * (Math.round(y) * info.width + Math.round(x)) + c]!);
    const { landmarks } = clip!.frames[0]!;
    const bridge = at(landmarks[2 * 28]!, landmarks[2 * 28 + 1]!);
    const corner = at(3, 3);
    expect(Math.max(...bridge.map((value, c) => Math.abs(value - corner[c]!)))).toBeGreaterThan(12);
  });
});

describe("the details of SEWA", () => {
  const stem = "SSL_C1_S001_P001_VC1_000055_000059";

  test("a folder a segment, with the dataset's own names", async () => {
    const names = await readdir(join(root, "sewa"));
    const stems = ["SSL_C1_S001_P001_VC1_000000_000004", stem, "SSL_C1_S001_P002_VC1_000000_000004"];
    expect(names.sort()).toEqual([...stems, "oracle.json", "truth.jsonl"]);
    const inside = await readdir(join(root, "sewa", stem));
    const channels = ["Arousal", "Valence"].flatMap((name) =>
      ["A", "AV", "V"].map((c) => `${stem}_${name}_${c}_Aligned.csv`),
    );
    expect(inside.sort()).toEqual([`${stem}.mp4`, ...channels, "landmarks", "metadata.ini"].sort());
    const csv = await readFile(join(root, "sewa", stem, `${stem}_Arousal_AV_Aligned.csv`), "utf8");
    expect(csv).toMatch(/^frame,arousal\n0,-?[01](\.\d+)?\n/);
    const text = await readFile(join(root, "sewa", stem, "landmarks", `${stem}_000004.txt`), "utf8");
    expect(
      text
        .trim()
        .split("\n")
        .map((line) => line.split(" ").length),
    ).toEqual([3, 4, 98]);
  });

  test("the video has 50 pictures a second, at their exact times", async () => {
    const pts: number[] = [];
    for await (const frame of decode(join(root, "sewa", stem, `${stem}.mp4`))) pts.push(frame.pts);
    expect(pts).toEqual([0, 20_000, 40_000, 60_000, 80_000]);
  });
});

test("predictions of a chunk are those of windows that begin with it", async () => {
  const [clip] = await readFacesTruth(join(root, "sewa"));
  const track = {
    label: Float64Array.from(clip!.valence.label),
    level: Float64Array.from(clip!.valence.level),
    carrier: Float64Array.from(clip!.valence.carrier),
  };
  const [chunks, one, two] = [
    predictTrack(track, "valence", 2, 50, "chunks"),
    predictTrack(track, "valence", 1, 50),
    predictTrack(track, "valence", 2, 50),
  ];
  expect([...chunks]).toEqual([one[0], two[1], one[2], two[3], one[4]]);
});
