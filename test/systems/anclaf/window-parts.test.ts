import { describe, expect, test } from "vitest";
import type { Window } from "../../../src/records.ts";
import { gatherWindows, windowsDigest } from "../../../src/systems/anclaf/window-parts.ts";
import { cut, type Track } from "./windows.ts";

const track = (clip: string, part: Track["part"], length = 5): Track => ({
  clip,
  part,
  values: Array.from({ length }, () => [1, 2]),
  labels: Array.from({ length }, (_, t) => [t, -t]),
});
const tracks = [track("a", "training"), track("b", "validation", 3), track("c", "test"), track("d", "training", 2)];

async function* all(windows: Iterable<Window>) {
  yield* windows;
}
const gathered = (changed: (window: Window) => Window = (window) => window, lengths: readonly number[] = [2, 4]) =>
  gatherWindows(all([...cut(tracks, 2), ...cut(tracks, 4), ...cut(tracks, 8)].map(changed)), lengths);
const of = (part: string, change: (window: Window) => Partial<Window>) => (window: Window) =>
  window.clip!.part === part ? { ...window, ...change(window) } : window;

describe("the windows of a fold", () => {
  test("by length and part; other lengths are passed over", async () => {
    const { byLength, fold, shape, folders } = await gathered();
    const clips = (n: number, part: "training" | "validation" | "test") =>
      byLength.get(n)![part].map(({ clip }) => clip!.id);
    expect([...byLength.keys()]).toEqual([2, 4]);
    expect(clips(2, "training")).toEqual(["a", "a", "a", "d"]);
    expect([clips(4, "validation"), clips(4, "test")]).toEqual([["b"], ["c", "c"]]);
    expect({ fold, shape }).toEqual({ fold: { fold: 1, folds: 3, digest: "d" }, shape: [2] });
    expect(folders).toEqual(["/a", "/b", "/c", "/d"]);
  });

  test("are known by what they hold: labels, places, contents", async () => {
    const contents = (folder: string) => `content of ${folder}`;
    const digest = async (changed?: (window: Window) => Window) =>
      windowsDigest((await gathered(changed)).byLength.get(4)!, contents);
    const first = await digest();
    expect(await digest()).toBe(first);
    expect(windowsDigest((await gathered()).byLength.get(4)!, () => "other")).not.toBe(first);
    const relabelled = of("test", ({ labels }) => ({ labels: labels.map((x) => x + 1) }));
    expect(await digest(relabelled)).not.toBe(first);
    expect(await digest(of("training", ({ rows }) => ({ rows: rows.map((row) => row + 1) })))).not.toBe(first);
  });
});

describe("windows that cannot be trained on are refused, with the reason", () => {
  const nan = ({ n }: Window) => ({ labels: new Float32Array(n * 2).fill(Number.NaN) });
  const faceless = ({ n }: Window) => ({ present: new Uint8Array(n), rows: new Int32Array(n).fill(-1) });
  test.each<[string, Parameters<typeof gathered>, string]>([
    ["no fold", [of("test", () => ({ clip: null }))], "windows of c belong to no fold"],
    [
      "two folds",
      [of("test", ({ clip }) => ({ clip: { ...clip!, fold: 2 } }))],
      "Windows differ in their fold: a has 1, c 2",
    ],
    ["two splits", [of("test", ({ clip }) => ({ clip: { ...clip!, digest: "e" } }))], "differ in their split"],
    ["two shapes", [of("test", () => ({ shape: [3] }))], "the shape of a step: a has [2], c [3]"],
    ["a length that nobody cut", [undefined, [6]], "no windows of 6 steps; there are of 2, 4, 8"],
    ["clips that are shorter", [undefined, [8]], "No training clip has 8 frames in a row"],
    ["no label", [of("validation", nan)], "None of the faces of the fold's validation people has a label"],
    ["no face", [of("training", faceless)], "windows of the fold's training people, no face was found"],
    [
      "nobody to test",
      [of("test", ({ clip }) => ({ clip: { ...clip!, part: "training" } }))],
      "The fold's test people have no windows",
    ],
  ])("%s", async (_, given, message) => {
    await expect(gathered(...given)).rejects.toThrow(message);
  });

  test("no window at all", async () => {
    await expect(gatherWindows(all([]), [2])).rejects.toThrow("There are no windows");
  });
});
