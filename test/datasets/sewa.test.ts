import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { landmarksIn } from "../../src/datasets/landmark-text.ts";
import { readSewa, type SewaOptions } from "../../src/datasets/sewa.ts";
import { stemIn } from "../../src/datasets/sewa-files.ts";
import { sewaLabels } from "../../src/datasets/sewa-labels.ts";
import type { Dataset } from "../../src/datasets/types.ts";
import { PipeError } from "../../src/errors.ts";
import { face, folder, landmarkFile, landmarkText, put, sewaArousal, sewaSegment, sewaValence, stem } from "./trees.ts";

const frames = (dataset: Dataset): number => dataset.clips.reduce((sum, clip) => sum + clip.frames.length, 0);
const lost = (dataset: Dataset): number => dataset.skipped.reduce((sum, skip) => sum + skip.frames, 0);
const upTo = (last: number): number[] => Array.from({ length: last + 1 }, (_, i) => i);

/** A segment whose video file is empty: readers of labels do not open it. */
async function segment(root: string, name: string, options: Parameters<typeof sewaSegment>[2]): Promise<void> {
  await sewaSegment(root, name, options);
  await put(join(root, name, `${name}.avi`), "");
}

const labelFile = (root: string, name: string, dimension: "Valence" | "Arousal", channel = "AV"): string =>
  join(root, name, `${name}_${dimension}_${channel}_Aligned.csv`);

describe("SEWA", () => {
  it("reads segments: session as group, labels and landmarks by frame id", async () => {
    await using at = await folder();
    const [a, b] = [stem(55), stem(7, { participant: 2, first: 12, last: 400 })];
    await segment(at.path, a, { ids: upTo(4) });
    await segment(join(at.path, "deeper"), b, { ids: [0, 3, 7], spread: true });
    const dataset = await readSewa(at.path);
    expect(
      dataset.clips.map(({ id, group, media, frames }) => [id, group, media, frames.map((one) => one.id)]),
    ).toEqual([
      [b, "S007", { kind: "video", path: join(at.path, "deeper", b, `${b}.avi`), first: 0, rate: 50 }, [0, 3, 7]],
      [a, "S055", { kind: "video", path: join(at.path, a, `${a}.avi`), first: 0, rate: 50 }, upTo(4)],
    ]);
    const landmarks = Float32Array.from(face(49, 7).flat());
    expect(dataset.clips[0]!.frames[2]).toEqual({ id: 7, valence: sewaValence(7), arousal: sewaArousal(7), landmarks });
    expect(dataset).toMatchObject({ name: "sewa", points: 49, labelled: 8, skipped: [] });
    expect(dataset.range).toEqual({ valence: [-1, 1], arousal: [-1, 1] });
    expect(dataset.notes).toEqual([
      "Labels are those of annotation channel AV.",
      "Frame ids begin at 0 in each segment.",
      "There are 50 labels a second.",
    ]);
  });

  it("takes the annotation channel that is asked for, and names those there are", async () => {
    await using at = await folder();
    await segment(at.path, stem(1), { ids: [0, 1], channels: ["A", "AV"] });
    await segment(at.path, stem(2), { ids: [0, 1, 2], channels: ["A"] });
    const lines = "frame,valence\n0,0.125\n1,-0.5\n";
    await writeFile(labelFile(at.path, stem(1), "Valence", "A"), lines);
    const audio = await readSewa(at.path, { annotation: "A" });
    expect(audio.clips[0]!.frames.map(({ valence }) => valence)).toEqual([0.125, -0.5]);
    expect(audio.notes[0]).toBe("Labels are those of annotation channel A.");
    expect([audio.labelled, frames(audio), audio.skipped]).toEqual([5, 5, []]);

    const both = await readSewa(at.path);
    expect(both.clips[0]!.frames.map(({ valence }) => valence)).toEqual([sewaValence(0), sewaValence(1)]);
    expect(both.skipped).toEqual([{ where: stem(2), reason: "there is no valence file of channel AV", frames: 0 }]);

    const error: PipeError = await readSewa(at.path, { annotation: "V" }).catch((one) => one);
    expect(error).toBeInstanceOf(PipeError);
    expect(error.message).toContain("no segment has valence and arousal of channel V");
    expect(error.hint).toContain("There is A and AV");
  });

  it("brings valence and arousal together by id, whatever their order and lengths", async () => {
    await using at = await folder();
    const name = stem(3);
    await segment(at.path, name, { ids: upTo(5) });
    await writeFile(labelFile(at.path, name, "Arousal"), "arousal,frame\n0.5,5\n0.1,1\n0.3,3\n0.2,2\n0.9,9\n");
    const dataset = await readSewa(at.path);
    expect(dataset.clips[0]!.frames.map(({ id, valence, arousal }) => [id, valence, arousal])).toEqual([
      [1, sewaValence(1), 0.1],
      [2, sewaValence(2), 0.2],
      [3, sewaValence(3), 0.3],
      [5, sewaValence(5), 0.5],
    ]);
    expect(dataset.skipped).toEqual([
      { where: `${name}, frame 0`, reason: "the arousal file does not have it", frames: 1 },
      { where: `${name}, frame 4`, reason: "the arousal file does not have it", frames: 1 },
      { where: `${name}, frame 9`, reason: "the valence file does not have it", frames: 1 },
    ]);
    expect(dataset.labelled).toBe(frames(dataset) + lost(dataset));
  });

  it("counts ids from 0, from 1, or as in the recording, for all segments alike", async () => {
    for (const [ids, note, firsts] of [
      [[upTo(3), [1, 2]], "begin at 0 in each segment", [0, 0]],
      [
        [
          [1, 2, 3],
          [2, 3],
        ],
        "begin at 1 in each segment",
        [1, 1],
      ],
      [[[4803, 4804], [4900]], "go on as in the recording", [4803, 4803]],
    ] as const) {
      await using at = await folder();
      await segment(at.path, stem(1), { ids: ids[0] });
      await segment(at.path, stem(2), { ids: ids[1] });
      const dataset = await readSewa(at.path);
      expect(dataset.notes[1]).toBe(`Frame ids ${note}.`);
      expect(dataset.clips.map(({ media }) => media.kind === "video" && media.first)).toEqual(firsts);
    }
  });

  it("takes 68 points where most frames have them; the others borrow", async () => {
    await using at = await folder();
    const name = stem(1);
    await segment(at.path, name, { ids: upTo(4), points: 68 });
    await put(landmarkFile(at.path, name, 2), landmarkText(49, 2));
    await put(landmarkFile(at.path, name, 4), "lost");
    // A file that belongs to no frame, and one that says other things of one.
    await put(join(at.path, name, `${name}.txt`), "the transcript");
    await put(join(at.path, name, "audio", `${name}_000003.txt`), landmarkText(68, 30));
    const dataset = await readSewa(at.path);
    expect(dataset.points).toBe(68);
    const [, , two, three, four] = dataset.clips[0]!.frames;
    expect([two!.landmarksOf, three!.landmarksOf, four!.landmarksOf]).toEqual([1, undefined, 3]);
    expect(two!.landmarks).toEqual(Float32Array.from(face(68, 1).flat()));
    expect(three!.landmarks).toEqual(Float32Array.from(face(68, 3).flat()));
    expect(dataset.notes).toContain("2 of 5 frames have the landmarks of a frame near them.");
  });

  it("loses no labelled frame silently: kept and skipped add up", async () => {
    await using at = await folder();
    const [good, unfilmed, far] = [stem(1), stem(2), stem(3)];
    await segment(at.path, good, { ids: upTo(6) });
    await sewaSegment(at.path, unfilmed, { ids: upTo(2) });
    await segment(at.path, far, { ids: [0, 1, 60] });
    await rm(landmarkFile(at.path, far, 60));
    const values = ["0,0.5", "1,NaN", "2,", "3", "4,0.25", "4,0.25", "5,0.5", "5,0.75", "6,0.5", "x,0.5", "1.5,0"];
    await writeFile(labelFile(at.path, good, "Valence"), `frame,valence\n${values.join("\n")}\n`);
    const arousal = ["0", "1", "2", "3", "4", "4", "5", "5", "6", "x", "1.5"].map((id) => `${id},0.5`);
    await writeFile(labelFile(at.path, good, "Arousal"), `frame,arousal\n${arousal.join("\n")}\n`);
    const dataset = await readSewa(at.path);
    expect(dataset.clips.map((clip) => clip.frames.map(({ id }) => id))).toEqual([
      [0, 4, 6],
      [0, 1],
    ]);
    expect(
      dataset.skipped.map(({ where, reason, frames }) => [where.replace(/^.*?(_S\d+)[^,]*/, "$1"), reason, frames]),
    ).toEqual([
      ["_S001, frame 1", "its valence is not a number", 1],
      ["_S001, frame 2", "its valence is not a number", 1],
      ["_S001, frame 3", "its valence is not a number", 1],
      ["_S001, frame 4", "the frame is labelled 2 times, alike; one label is kept", 1],
      ["_S001, frame 5", "the frame is labelled 2 times, differently", 2],
      ["_S001, frame x", "its name is not a frame number", 1],
      ["_S001, frame 1.5", "its name is not a frame number", 1],
      ["_S002", "there is no video (.avi or .mp4) of it; is it still packed, or a link whose file was not fetched?", 3],
      ["_S003, frame 60", "neither it nor a frame near it has usable landmarks", 1],
    ]);
    expect([dataset.labelled, frames(dataset), lost(dataset)]).toEqual([11 + 3 + 3, 5, 12]);
  });

  it.each<[what: string, spoil: (root: string, name: string) => Promise<void>, message: RegExp, options?: SewaOptions]>(
    [
      [
        "a value out of range",
        (root, name) => writeFile(labelFile(root, name, "Arousal"), "frame,arousal\n0,0.5\n1,-1.01\n"),
        /frame 1: arousal is -1.01, outside the declared range -1\.\.1/,
      ],
      [
        "a narrower range",
        async () => {},
        /outside the declared range 0\.\.1/,
        { range: { valence: [0, 1], arousal: [0, 1] } },
      ],
      [
        "a file with one column",
        (root, name) => writeFile(labelFile(root, name, "Valence"), "valence\n0.5\n"),
        /Valence_AV_Aligned\.csv: it has no columns for frame and valence/,
      ],
      ["an empty file", (root, name) => writeFile(labelFile(root, name, "Valence"), ""), /it has no columns/],
      [
        "a file that is not CSV",
        (root, name) => writeFile(labelFile(root, name, "Valence"), 'frame,"val"ence\n0,1\n'),
        /it is not CSV/,
      ],
      [
        "no video at all",
        (root, name) => rm(join(root, name, `${name}.avi`)),
        /no labelled frame can be used.*there is no video/,
      ],
    ],
  )("refuses %s, by name", async (_what, spoil, message, options = {}) => {
    await using at = await folder();
    await segment(at.path, stem(9), { ids: upTo(3) });
    await spoil(at.path, stem(9));
    const error = await readSewa(at.path, options).catch((one: unknown) => one);
    expect(error).toBeInstanceOf(PipeError);
    expect((error as PipeError).message).toMatch(message);
  });

  it("refuses a folder without a segment, and obeys an abort", async () => {
    await using at = await folder();
    await put(join(at.path, "SSL_S1.avi"), "");
    await expect(readSewa(at.path)).rejects.toThrow("there is no SEWA segment in it");
    await segment(at.path, stem(9), { ids: [0] });
    await expect(readSewa(at.path, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });

  it("prefers the .avi, and the frame ids' rate is an option", async () => {
    await using at = await folder();
    await segment(at.path, stem(9), { ids: [0] });
    await put(join(at.path, stem(9), `${stem(9)}.mp4`), "");
    const dataset = await readSewa(at.path, { rate: "video" });
    expect(dataset.clips[0]!.media).toMatchObject({ path: expect.stringMatching(/\.avi$/), rate: "video" });
    expect(dataset.notes).toContain("There is one label a picture.");
  });
});

describe("a segment's name", () => {
  it("is told apart", () => {
    const parts = { stem: "SSL_C2_S055_P109_VC1_004803_005542", session: "S055", first: 4803, last: 5542 };
    for (const rest of ["", "_Valence_AV_Aligned.csv", ".avi", "_000123.txt"])
      expect(stemIn(`${parts.stem}${rest}`)).toEqual(parts);
    for (const name of ["SSL_C2_S055_P109_VC1_004803", "C2_S055_P109_VC1_1_2", "", "x", `${parts.stem}a`])
      expect(stemIn(name)).toBeNull();
  });
});

describe("annotation files", () => {
  it("have their columns found by name, else by place", () => {
    const row = { name: "3", id: 3, value: 0.5 };
    for (const text of [
      "frame,valence\n3,0.5\n",
      "\uFEFFFrame,Valence\r\n3,0.5\r\n",
      "time,valence,frame_id\n0.06,0.5,3",
      "index,rating\n3, 0.5 \n\n",
      "3,0.5\n",
      '"frame","gold_valence"\n"3","0.5"\n',
    ])
      expect(sewaLabels("a.csv", text, "valence")).toEqual([row]);
    expect(sewaLabels("a.csv", "frame,valence,arousal\n3,9,0.5", "arousal")).toEqual([row]);
    expect(sewaLabels("a.csv", "frame,valence\n", "valence")).toEqual([]);
  });
});

describe("landmark files", () => {
  const points = (count: number): number[] => Array.from({ length: 2 * count }, (_, i) => i / 4 - 10);

  it("give the last 98 or 136 numbers, whatever stands before", () => {
    expect(landmarksIn(`1 2 3\n4 5 6 7\n${points(49).join(" ")}\n`)).toEqual(points(49));
    expect(landmarksIn(`version: 1\nn_points: 68\n{\n${points(68).join("\n")}\n}\n`)).toEqual(points(68));
    expect(landmarksIn(points(49).join(","))).toEqual(points(49));
    expect(
      landmarksIn(
        points(49)
          .map((one) => one.toExponential())
          .join("\t"),
      ),
    ).toEqual(points(49));
  });

  it("give null where there are fewer, and keep a NaN", () => {
    expect(landmarksIn("")).toBeNull();
    expect(landmarksIn(points(48).join(" "))).toBeNull();
    const spoilt = landmarksIn(["7", ...points(49).with(30, Number.NaN)].join(" "))!;
    expect(spoilt).toHaveLength(98);
    expect(spoilt[30]).toBeNaN();
  });
});
