import { execFileSync } from "node:child_process";
import { mkdir, symlink, truncate, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { labelsIn } from "../../src/datasets/label-csv.ts";
import { textOf } from "../../src/datasets/label-encoding.ts";
import { readLabelFile } from "../../src/datasets/label-file.ts";
import { findLabelFile, labelFileOf, strayLabelFiles } from "../../src/datasets/label-path.ts";
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

describe("numbers and encodings of spreadsheets", () => {
  const values = (text: string) => {
    const { people, range } = read(text);
    return [
      range.valence,
      ...people.flatMap(({ points }) => points.map(({ at, label }) => [at, label.valence, label.arousal])),
    ];
  };

  it("decimal commas between semicolons or tabs, with Excel's own first line, and in the declared range", () => {
    const lines = ["seconds;valence;arousal", "0,00;-0,12;0,40", "0,04;1;,5", "1,2e1;-1E-1;0"];
    const right = [
      [0, -0.12, 0.4],
      [40_000, 1, 0.5],
      [12e6, -0.1, 0],
    ];
    expect(values(lines.join("\r\n"))).toEqual([[-1, 1], ...right]);
    expect(values(lines.join("\n").replaceAll(";", "\t"))).toEqual([[-1, 1], ...right]);
    expect(values(`\ufeffsep=;\r\n# range: -1,5..2\r\n${lines.join("\r\n")}`)).toEqual([[-1.5, 2], ...right]);
    expect(values("sep=,\nseconds,valence,arousal\n0.5,0.25,0\n")).toEqual([
      [-1, 1],
      [500_000, 0.25, 0],
    ]);
  });

  it("UTF-16 in both byte orders, with a mark and without, and UTF-8 with a mark: the same names", () => {
    const text = "frame,valence,arousal,subject\n0,0.5,0,Zoë 😀\n";
    const little = Buffer.from(text, "utf16le");
    const big = Buffer.from(little).swap16();
    const [le, be] = [Buffer.of(0xff, 0xfe), Buffer.of(0xfe, 0xff)];
    for (const bytes of [
      Buffer.from(text),
      Buffer.from(`\ufeff${text}`),
      little,
      big,
      Buffer.concat([le, little]),
      Buffer.concat([be, big]),
    ])
      expect(read(textOf("clip.labels.csv", bytes)).people[0]).toMatchObject({ name: "Zoë 😀", points: [{ at: 0 }] });
    expect(textOf("empty", Buffer.alloc(0))).toBe("");
  });

  it.each([
    [
      Buffer.from("seconds,valence,arousal,subject\n0,0,0,M\u00fcller\n", "latin1"),
      /^x, line 2: this file is not UTF-8.*0,0,0,Müller/,
    ],
    [Buffer.from("\ufeffframe,valence,arousal\n0,0,0\n", "utf16le").subarray(0, -1), /UTF-16, and not whole: x/],
    [Buffer.from("frame,valence,arousal\n0,0,0\0\n"), /^x is not text: there are zero bytes/],
    [Buffer.from([0xff, 0xfe, 0, 0, 0x66, 0, 0, 0]), /^x, line 1: this file is not UTF-8/],
  ])("what is not sure is refused in just those words (%#)", (bytes, told) => {
    expect(() => textOf("x", bytes)).toThrow(told);
  });
});

describe("spellings of one person", () => {
  it("are one person with the first spelling, and the others are kept", () => {
    const text =
      "frame,valence,arousal,subject\n0,0,0,Ada\n1,0,0,ada\n2,0,0,ben\n3,0,0,ADA\n4,0,0,Zo\u00eb\n5,0,0,Zoe\u0308\n";
    const people = read(text).people.map(({ name, also, points }) => [name, also, points.map(({ at }) => at)]);
    expect(people).toEqual([
      ["Ada", ["ada", "ADA"], [0, 1, 3]],
      ["ben", undefined, [2]],
      ["Zo\u00eb", ["Zoe\u0308"], [4, 5]],
    ]);
    expect(() => read("frame,valence,arousal,subject\n1,0,0,Ada\n1,0,0,ada\n")).toThrow(
      /line 3: frame 1 does not come after/,
    );
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
  [`${head}0,00,-0,12,0,40\n`, /line 2: it has 6 cells, and the header names 3/],
  ["seconds;valence;arousal\n0,1;0;0\n0,2;0.5;0\n", /line 3: 0\.5 has a decimal point, and line 2 a decimal comma/],
  ["seconds;valence;arousal\n0;0;0\n1.234,5;0;0\n", /line 3: seconds is "1\.234,5", not a number/],
  ["time_us;valence;arousal\n40,000;0;0\n", /line 2: time_us is "40,000", not a number/],
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
  it("is found in either Unicode form and with its ending in capitals; the case of its name counts", async () => {
    const folder = await temporary();
    const put = (name: string) => writeFile(join(folder, name), `${head}0,0.5,0\n`);
    const find = async (video: string) => {
      const found = await findLabelFile(join(folder, video));
      return found && basename(found);
    };
    const [one, two] = ["Zo\u00eb", "Zoe\u0308"];
    await put(`${one}.labels.csv`);
    await put("clip.LABELS.Csv");
    expect(await find(`${two}.mp4`)).toBe(`${one}.labels.csv`);
    expect(await find("clip.mp4")).toBe("clip.LABELS.Csv");
    expect(await find("Clip.mp4")).toBeUndefined();
    expect(await find("none.mp4")).toBeUndefined();
    expect(await findLabelFile(join(folder, "no folder", "clip.mp4"))).toBeUndefined();
    // What is named exactly goes first; of two that are not, nobody knows which is meant.
    await put("clip.labels.csv");
    expect(await find("clip.mp4")).toBe("clip.labels.csv");
    await put("b.labels.CSV");
    await put("b.Labels.csv");
    await expect(find("b.mp4")).rejects.toThrow("b.mp4 has 2 label files: b.Labels.csv, b.labels.CSV.");
    expect((await readLabelFile(join(folder, `${two}.mp4`), UNIT))!.labels.file).toBe(`${one}.labels.csv`);
  });

  it("that belongs to no video is named, with the video that it is most likely for", async () => {
    const folder = await temporary();
    const video = join(folder, "clip1.mp4");
    expect(await strayLabelFiles(video)).toEqual([]);
    const names = ["clip1.mp4", "Take.MOV", "good.mp4", "good.labels.csv", "notes.txt", "notes.labels.csv"];
    for (const name of [...names, "clip_1.labels.csv", "take.labels.CSV", "elsewhere.labels.csv"])
      await writeFile(join(folder, name), "");
    const end = "belongs to no video: no file beside it is named";
    expect(await strayLabelFiles(video)).toEqual([
      `${join(folder, "clip_1.labels.csv")} ${end} clip_1. Is it for clip1.mp4? Then name it clip1.labels.csv`,
      `${join(folder, "elsewhere.labels.csv")} ${end} elsewhere.`,
      `${join(folder, "take.labels.CSV")} ${end} take. Is it for Take.MOV? Then name it Take.labels.csv`,
    ]);
  });

  it("of many megabytes is refused by its size, unread; below that it is read in little memory", async () => {
    const folder = await temporary();
    const large = join(folder, "large.labels.csv");
    await writeFile(large, "");
    await truncate(large, 100e6);
    await expect(readLabelFile(join(folder, "large.mp4"), UNIT)).rejects.toThrow(
      /large\.labels\.csv has 95 MiB, and label files of up to 64 MiB are read/,
    );
    const rows = 400_000;
    const lines = Array.from({ length: rows }, (_, i) => `${(i * 0.04).toFixed(2)},0.5,-0.25,ada,10,20,30,40`);
    await writeFile(
      join(folder, "long.labels.csv"),
      `seconds,valence,arousal,subject,x,y,width,height\n${lines.join("\n")}\n`,
    );
    const program = `const { readLabelFile } = await import(${JSON.stringify(new URL("../../src/datasets/label-file.ts", import.meta.url).href)});
      const { labels } = await readLabelFile(${JSON.stringify(join(folder, "long.mp4"))}, { valence: [-1, 1], arousal: [-1, 1] });
      console.log(labels.people[0].points.length, labels.people[0].points.at(-1).at);`;
    const options = ["--max-old-space-size=160", "--import", "tsx", "--input-type=module", "-e", program];
    const said = execFileSync(process.execPath, options, { encoding: "utf8", cwd: join(import.meta.dirname, "../..") });
    expect(said.trim()).toBe(`${rows} ${Math.round((rows - 1) * 0.04 * 1e6)}`);
  }, 120_000);

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
