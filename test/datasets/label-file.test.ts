import { execFileSync } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { labelFileOf, labelsIn, readLabelFile } from "../../src/datasets/label-file.ts";
import type { LabelRange } from "../../src/datasets/types.ts";
import { digestFile } from "../../src/digest.ts";
import { PipeError } from "../../src/errors.ts";
import { temporary } from "../pipelines/temporary.ts";

const UNIT: LabelRange = { valence: [-1, 1], arousal: [-1, 1] };
const read = (text: string, declared = UNIT) => labelsIn("clip.labels.csv", text, declared);

test("a video's label file has its name without the ending", () => {
  expect(labelFileOf("/x/clip.mp4")).toBe("/x/clip.labels.csv");
  expect(labelFileOf("/x.y/a.b.mov")).toBe("/x.y/a.b.labels.csv");
  expect(labelFileOf("/x.y/clip")).toBe("/x.y/clip.labels.csv");
});

describe("what a label file says", () => {
  it("one label in seconds: microseconds, nobody's name, no box, the range that was declared elsewhere", () => {
    expect(read("seconds,valence,arousal\n1.5,0.25,-1\n", { valence: [0, 1], arousal: [-2, 2] })).toEqual({
      file: "clip.labels.csv",
      clock: "pts",
      range: { valence: [0, 1], arousal: [-2, 2] },
      boxed: false,
      people: [{ name: null, points: [{ at: 1.5e6, label: { valence: 0.25, arousal: -1 }, box: null }] }],
    });
  });

  it("frames, several people with boxes in turns, columns in any order, any case, semicolons, CRLF, a BOM, empty lines", () => {
    const text = [
      "\ufeff# by two raters",
      "# range: 1..9",
      "# Arousal = -10 .. 10",
      "",
      "Height;subject;Y;frame;X;Valence;WIDTH;arousal",
      '8;"ben; B.";2;0;1;3;7;-10',
      "18;ada;12;0;11;9;17;10",
      "# the second half",
      "9;ada;13;4;12;1;16;0",
    ].join("\r\n");
    const { people, ...rest } = read(text);
    expect(rest).toMatchObject({ clock: "index", boxed: true, range: { valence: [1, 9], arousal: [-10, 10] } });
    expect(people).toEqual([
      {
        name: "ben; B.",
        points: [{ at: 0, label: { valence: 3, arousal: -10 }, box: { x: 1, y: 2, width: 7, height: 8 } }],
      },
      {
        name: "ada",
        points: [
          { at: 0, label: { valence: 9, arousal: 10 }, box: { x: 11, y: 12, width: 17, height: 18 } },
          { at: 4, label: { valence: 1, arousal: 0 }, box: { x: 12, y: 13, width: 16, height: 9 } },
        ],
      },
    ]);
  });

  it("people one after the other need no boxes; time_us is kept as it is", () => {
    const { people, clock } = read("time_us,valence,arousal,subject\n0,0,0,ada\n40000,0,0,ben\n80000,1,1,ada\n");
    expect(clock).toBe("pts");
    expect(people.map(({ name, points }) => [name, points.map(({ at }) => at)])).toEqual([
      ["ada", [0, 80_000]],
      ["ben", [40_000]],
    ]);
  });
});

const head = "seconds,valence,arousal\n";
const named = "seconds,valence,arousal,subject\n";
const boxed = "seconds,valence,arousal,x,y,width,height\n";
test.each([
  ["", /has no labels/],
  ["# range: -1..1\n", /has no labels/],
  [head, /has no labels/],
  [`${head}0,0,0\n1,nan,0\n`, /^clip\.labels\.csv, line 3: valence is "nan", not a number/],
  [`${head}0,0,0\n1,0,\n`, /line 3: arousal is empty, not a number/],
  [`${head}0,0,Infinity\n`, /line 2: arousal is "Infinity", not a number/],
  [`# a\n# b\n${head}0,0,0\n\n1,-1.001,0\n`, /line 6: valence is -1\.001, outside the declared range -1\.\.1/],
  [`# arousal: 0..1\n${head}0,-1,-0.5\n`, /line 3: arousal is -0\.5, outside the declared range 0\.\.1/],
  [`${head}0,0,0\n0.5,0,0\n0.4,0,0\n`, /line 4: seconds 0\.4 does not come after line 3's 0\.5/],
  [`${head}0,0,0\n0,0.1,0\n`, /line 3: seconds 0 does not come after line 2's 0/],
  [`${named}0,0,0,ada\n1,0,0,ben\n0,0,0,ada\n`, /line 4: seconds 0 does not come after line 2's 0 for ada/],
  [`${named}0,0,0,ada\n1,0,0,ben\n1,0,0,ada\n`, /line 4: ada has a label at the time of ben \(line 3\).*no box/],
  [`${named}0,0,0,\n`, /line 2: subject is empty/],
  [`${head}0,0,0\n1,0\n`, /line 3: it has 2 cells, and the header names 3/],
  [`${head}0,0,0,0\n`, /line 2: it has 4 cells, and the header names 3/],
  [`${boxed}0,0,0,1,1,0,5\n`, /line 2: the box is 0 × 5 pixels/],
  [`${boxed}0,0,0,1,1,,5\n`, /line 2: width is empty/],
  ["frame,valence,arousal\n1.5,0,0\n", /line 2: frame is 1\.5, not a whole number/],
  ["frame,valence,arousal\n-1,0,0\n", /line 2: frame is -1, not a whole number/],
  ["valence,arousal\n0,0\n", /line 1: a column for the time is missing: seconds or time_us or frame/],
  ["frame,seconds,valence,arousal\n0,0,0,0\n", /line 1: seconds and frame both tell the time/],
  ["seconds,valance,arousal\n0,0,0\n", /line 1: there is no column "valance"/],
  ["seconds,valence\n0,0\n", /line 1: column arousal is missing/],
  ["seconds,valence,arousal,valence\n0,0,0,0\n", /line 1: column valence is there twice/],
  ["seconds,valence,arousal,x,y\n0,0,0,1,1\n", /line 1: of a box there is only x, y/],
  [`# range: 1..-1\n${head}0,0,0\n`, /line 1: "# range: 1\.\.-1" is not the range of a label/],
  [`# range: -10 to 10\n${head}0,0,0\n`, /line 1: "# range: -10 to 10" is not the range/],
  [`${head}0,"0,0\n`, /is not CSV: /],
])("%j is refused: where, what, and what now", (text, told) => {
  let thrown: unknown;
  try {
    read(text);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(PipeError);
  expect((thrown as PipeError).message).toMatch(told);
  expect((thrown as PipeError).hint).toMatch(/\w{3}/);
});

describe("the file beside a video", () => {
  it("is read with its sha256, is nothing where it is not there, and must be a regular file", async () => {
    const folder = await temporary();
    const video = join(folder, "clip.mp4");
    expect(await readLabelFile(video, UNIT)).toBeUndefined();
    await writeFile(join(folder, "clip.labels.csv"), `${head}0,0.5,0\n`);
    const found = await readLabelFile(video, UNIT);
    expect(found!.labels.people[0]!.points).toHaveLength(1);
    expect(found!.digest).toBe(await digestFile(join(folder, "clip.labels.csv")));
    execFileSync("mkfifo", [join(folder, "pipe.labels.csv")]);
    await mkdir(join(folder, "folder.labels.csv"));
    await symlink("/dev/zero", join(folder, "endless.labels.csv"));
    for (const name of ["pipe", "folder", "endless"])
      await expect(readLabelFile(join(folder, `${name}.mp4`), UNIT)).rejects.toThrow(
        `${name}.labels.csv is not a regular file.`,
      );
  });
});
