import { mkdir, readFile, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readAfewVa } from "../../src/datasets/afew-va.ts";
import type { Dataset } from "../../src/datasets/types.ts";
import { PipeError } from "../../src/errors.ts";
import { afewClip, afewFrame, face, folder, put } from "./trees.ts";

const kept = (dataset: Dataset): number => dataset.clips.reduce((sum, clip) => sum + clip.frames.length, 0);
const lost = (dataset: Dataset): number => dataset.skipped.reduce((sum, skip) => sum + skip.frames, 0);
const flat = (id: number): Float32Array => Float32Array.from(face(68, id).flat());

describe("AFEW-VA", () => {
  it("finds clips at any depth, in order of their numbers, and passes mirrors by", async () => {
    await using at = await folder();
    await afewClip(at.path, "10", "Cy", 1);
    await afewClip(at.path, "01/002", "Bob", 3);
    await afewClip(at.path, "001", "Ann", 2);
    await afewClip(at.path, "01/002_cropped/002", "Bob", 3);
    await put(join(at.path, "003", "other.json"), "no clip");
    const dataset = await readAfewVa(at.path);
    expect(dataset.clips.map(({ id, group, frames }) => [id, group, frames.length])).toEqual([
      ["001", "Ann", 2],
      ["002", "Bob", 3],
      ["10", "Cy", 1],
    ]);
    expect(dataset.clips[1]!.media).toEqual({
      kind: "images",
      paths: ["00000.png", "00001.png", "00002.png"].map((name) => join(at.path, "01/002", name)),
    });
    expect(dataset.clips[1]!.frames[2]).toEqual({ id: 2, valence: 0, arousal: 1, landmarks: flat(2) });
    expect(dataset).toMatchObject({ name: "afew-va", points: 68, labelled: 6, skipped: [], notes: [] });
    expect(dataset.range).toEqual({ valence: [-10, 10], arousal: [-10, 10] });
  });

  it("takes links for the files they lead to, never what is behind .git, and skips those that lead nowhere", async () => {
    await using at = await folder();
    await afewClip(at.path, ".git/annex/objects/001", "Ann", 3);
    await mkdir(join(at.path, "001"));
    for (const name of ["001.json", "00000.png", "00001.png"])
      await symlink(join("../.git/annex/objects/001", name), join(at.path, "001", name));
    await symlink("../.git/annex/objects/zz", join(at.path, "001/00002.png"));
    await symlink(at.path, join(at.path, "001/round"));
    const { clips, skipped } = await readAfewVa(at.path);
    expect(clips.map(({ id }) => id)).toEqual(["001"]);
    expect(clips[0]!.media).toMatchObject({
      paths: ["00000.png", "00001.png"].map((name) => join(at.path, "001", name)),
    });
    expect(skipped).toEqual([
      { where: "001/001.json, frame 00002", reason: "00002.png is a link to a file that is not there", frames: 1 },
    ]);
  });

  it("takes labels written 0.0 or as text, and sorts frame names as numbers", async () => {
    await using at = await folder();
    await afewClip(at.path, "001", " Ann  Lee ", 0);
    const frames = ["10", "9", "007"].map((name) => {
      const { landmarks } = afewFrame(Number(name));
      return `"${name}": {"valence": 0.0, "arousal": "-3.0", "landmarks": ${JSON.stringify(landmarks)}}`;
    });
    await put(join(at.path, "001/001.json"), `{"actor": " Ann  Lee ", "frames": {${frames.join(", ")}}}`);
    for (const name of ["10", "9", "007"]) await put(join(at.path, `001/${name}.png`), "");
    const [clip] = (await readAfewVa(at.path)).clips;
    expect(clip!.group).toBe("Ann Lee");
    expect(clip!.frames.map(({ id, valence, arousal }) => [id, valence, arousal])).toEqual([
      [7, 0, -3],
      [9, 0, -3],
      [10, 0, -3],
    ]);
    expect(clip!.media).toMatchObject({
      paths: ["007.png", "9.png", "10.png"].map((one) => join(at.path, "001", one)),
    });
  });

  it("gives a frame without 68 usable landmarks those of the nearest, the earlier of two as near", async () => {
    await using at = await folder();
    const nan = face(68, 6).map(([x, y], i) => (i === 40 ? [x, null] : [x, y]));
    await afewClip(at.path, "001", "Ann", 8, {
      "00001": afewFrame(1, { landmarks: face(49, 1) }),
      "00003": afewFrame(3, { landmarks: Array(68).fill([0, 0]) }),
      "00004": afewFrame(4, { landmarks: undefined }),
      "00006": afewFrame(6, { landmarks: nan }),
      "00007": afewFrame(7, { landmarks: [[1, 2, 3]] }),
    });
    const dataset = await readAfewVa(at.path);
    expect(dataset.clips[0]!.frames.map(({ landmarksOf }) => landmarksOf)).toEqual([
      undefined,
      0,
      undefined,
      2,
      5,
      undefined,
      5,
      5,
    ]);
    expect(dataset.clips[0]!.frames[4]!.landmarks).toEqual(flat(5));
    expect(dataset.notes).toEqual(["5 of 8 frames have the landmarks of a frame near them."]);

    const near = await readAfewVa(at.path, { reach: 1 });
    expect(near.clips[0]!.frames.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(near.skipped).toEqual([
      { where: "001/001.json, frame 00007", reason: "neither it nor a frame near it has usable landmarks", frames: 1 },
    ]);
  });

  it("loses no labelled frame silently: kept and skipped add up", async () => {
    await using at = await folder();
    await afewClip(at.path, "001", "Ann", 6, {
      "00001": afewFrame(1, { valence: null }),
      "00002": afewFrame(2, { arousal: "high" }),
      "00003": "nothing",
      "3": afewFrame(3),
      "00004": afewFrame(4),
      "000004": afewFrame(4),
      "00009": afewFrame(9),
      later: afewFrame(8),
    });
    await afewClip(at.path, "002", "Bob", 0);
    const dataset = await readAfewVa(at.path);
    expect(dataset.clips.map(({ id, frames }) => [id, frames.map((frame) => frame.id)])).toEqual([["001", [0, 4, 5]]]);
    expect(dataset.skipped).toEqual([
      { where: "001/001.json, frame 00001", reason: "its valence is not a number", frames: 1 },
      { where: "001/001.json, frame 00002", reason: "its arousal is not a number", frames: 1 },
      { where: "001/001.json, frame 3", reason: "the frame is labelled 2 times, differently", frames: 2 },
      { where: "001/001.json, frame 00004", reason: expect.stringContaining("2 times, alike"), frames: 1 },
      { where: "001/001.json, frame 00009", reason: "there is no picture 00009.png", frames: 1 },
      { where: "001/001.json, frame later", reason: "its name is not a frame number", frames: 1 },
      { where: "002/002.json", reason: "it labels no frame", frames: 0 },
    ]);
    expect([dataset.labelled, kept(dataset), lost(dataset)]).toEqual([10, 3, 7]);
  });

  it("reads the NaN that Python writes as no number", async () => {
    await using at = await folder();
    await afewClip(at.path, "001", "Ann", 2);
    const text = await readFile(join(at.path, "001/001.json"), "utf8");
    await put(join(at.path, "001/001.json"), text.replace(/"valence":-2/, '"valence": NaN'));
    const dataset = await readAfewVa(at.path);
    expect(dataset.skipped.map(({ reason }) => reason)).toEqual(["its valence is not a number"]);
  });

  it("takes actors whose names differ in case as one, and says so", async () => {
    await using at = await folder();
    await afewClip(at.path, "001", "Ann Lee", 1);
    await afewClip(at.path, "002", "ann lee", 1);
    const dataset = await readAfewVa(at.path);
    expect(dataset.clips.map(({ group }) => group)).toEqual(["Ann Lee", "Ann Lee"]);
    expect(dataset.notes).toEqual(["The actors Ann Lee and ann lee are taken as one."]);
  });

  it.each<[what: string, spoil: (root: string) => Promise<void>, message: RegExp]>([
    [
      "a broken JSON",
      (root) => put(join(root, "002/002.json"), '{"actor": "Bob", "fra'),
      /002\/002\.json: it is not JSON/,
    ],
    ["no frames", (root) => put(join(root, "002/002.json"), '{"actor": "Bob"}'), /002\/002\.json: it has no "frames"/],
    ["no actor", (root) => afewClip(root, "002", undefined, 1), /002\/002\.json: it does not say who the actor is/],
    ["an empty actor", (root) => afewClip(root, "002", " ", 1), /002\/002\.json: it does not say who the actor is/],
    [
      "a valence out of range",
      (root) => afewClip(root, "002", "Bob", 2, { "00001": afewFrame(1, { valence: 11 }) }),
      /002\/002\.json, frame 00001: valence is 11, outside the declared range -10\.\.10/,
    ],
    [
      "an infinite arousal, as 1e999",
      (root) =>
        put(join(root, "002/002.json"), '{"actor": "Bob", "frames": {"00000": {"valence": 1, "arousal": -1e999}}}'),
      /arousal is -Infinity, outside/,
    ],
    [
      "the same clip twice",
      (root) => afewClip(root, "mirror/1", "Bob", 1),
      /Clip 001 is there twice: 001\/001\.json and mirror/,
    ],
  ])("refuses %s, by name", async (_what, spoil, message) => {
    await using at = await folder();
    await afewClip(at.path, "001", "Ann", 1);
    await spoil(at.path);
    const error = await readAfewVa(at.path).catch((one: unknown) => one);
    expect(error).toBeInstanceOf(PipeError);
    expect((error as PipeError).message).toMatch(message);
    expect((error as PipeError).hint).toBeTruthy();
  });

  it("asserts the range that was declared", async () => {
    await using at = await folder();
    await afewClip(at.path, "001", "Ann", 5);
    const range = { valence: [-2, 2], arousal: [0, 2] } as const;
    await expect(readAfewVa(at.path, { range })).rejects.toThrow("arousal is 3, outside the declared range 0..2");
    expect((await readAfewVa(at.path, { range: { ...range, arousal: [0, 3] } })).range.arousal).toEqual([0, 3]);
  });

  it("refuses folders without a clip or without a usable frame, and obeys an abort", async () => {
    await using at = await folder();
    await expect(readAfewVa(join(at.path, "gone"))).rejects.toThrow("there is no such folder");
    await mkdir(join(at.path, "001"));
    await expect(readAfewVa(at.path)).rejects.toThrow("there is no AFEW-VA clip in it");
    await afewClip(at.path, "001", "Ann", 1);
    await rm(join(at.path, "001/00000.png"));
    await expect(readAfewVa(at.path)).rejects.toThrow("no labelled frame can be used");
    await expect(readAfewVa(at.path, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });
});
