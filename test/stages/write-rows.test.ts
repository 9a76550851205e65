import { readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Crop, type Latent, STATUSES } from "../../src/records.ts";
import writeRows from "../../src/stages/write-rows.ts";
import { folder, latents, openFiles } from "../cache/helpers.ts";
import { counted, only, SOURCE, task } from "./cached.ts";

async function* each<T>(records: readonly T[]): AsyncGenerator<T> {
  yield* records;
}

async function write(output: string, format: "jsonl" | "csv", records: readonly (Crop | Latent)[], name = "a.mp4") {
  await using context = task(1, { ...SOURCE, name });
  const artifact = await only(writeRows({ output, format }).run(context)(each(records)));
  return { artifact, text: await readFile(artifact.path, "utf8"), counts: context.ledger.counts };
}

/** A face with all that can be known of it, one of which less is known, and a frame without a face. */
const RECORDS: Latent[] = [
  {
    kind: "latent",
    index: 7,
    pts: 233_567,
    status: "ok",
    track: 2,
    shot: 1,
    box: { x: -1.25, y: 0.5, width: 20.1, height: 30 },
    score: 0.875,
    presence: 0.5,
    landmarks: Float32Array.of(1.5, -2, 3, 0.25),
    z: Float32Array.of(9, 9),
    shape: [2],
    q: Float32Array.of(0.5, 0.25, 0.25, 0),
    label: { valence: -3.5, arousal: 8 },
  },
  {
    kind: "latent",
    index: 7,
    pts: 233_567,
    status: "too_small",
    track: 3,
    shot: 1,
    box: { x: 4, y: 5, width: 6, height: 7 },
    score: 0.5,
    landmarks: null,
    z: null,
    shape: [2],
    q: null,
  },
  {
    kind: "latent",
    index: 8,
    pts: 266_934,
    status: "no_face",
    track: -1,
    shot: 0,
    box: null,
    score: 0,
    landmarks: null,
    z: null,
    shape: [2],
    q: null,
  },
];

const JSONL = `\
{"index":7,"pts":233567,"status":"ok","track":2,"shot":1,"box_x":-1.25,"box_y":0.5,"box_width":20.1,"box_height":30,"score":0.875,"face_presence":0.5,"landmarks":[1.5,-2,3,0.25],"q":[0.5,0.25,0.25,0],"valence":-3.5,"arousal":8}
{"index":7,"pts":233567,"status":"too_small","track":3,"shot":1,"box_x":4,"box_y":5,"box_width":6,"box_height":7,"score":0.5,"face_presence":null,"landmarks":null,"q":null,"valence":null,"arousal":null}
{"index":8,"pts":266934,"status":"no_face","track":-1,"shot":0,"box_x":null,"box_y":null,"box_width":null,"box_height":null,"score":0,"face_presence":null,"landmarks":null,"q":null,"valence":null,"arousal":null}
`;

const HEADER =
  "index,pts,status,track,shot,box_x,box_y,box_width,box_height,score,face_presence,landmarks,q,valence,arousal";
const CSV = `\
${HEADER}
7,233567,ok,2,1,-1.25,0.5,20.1,30,0.875,0.5,"[1.5,-2,3,0.25]","[0.5,0.25,0.25,0]",-3.5,8
7,233567,too_small,3,1,4,5,6,7,0.5,,,,,
8,266934,no_face,-1,0,,,,,0,,,,,
`;

const readJsonl = (text: string): unknown[] =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));

const TEXT = new Set(["status"]);
function readCsv(text: string): Record<string, unknown>[] {
  return parse(text, {
    columns: true,
    cast: (value, { column, header }) =>
      header || TEXT.has(String(column)) ? value : value === "" ? null : JSON.parse(value),
  });
}

test.each([
  ["jsonl", JSONL],
  ["csv", CSV],
] as const)("%s: a row for each record", async (format, expected) => {
  await using output = await folder();
  const { artifact, text, counts } = await write(output.path, format, RECORDS);
  expect(text).toBe(expected);
  expect(artifact.bytes).toBe(Buffer.byteLength(text));
  expect(counts.rows).toMatchObject({ ok: 1, too_small: 1, no_face: 1 });
  expect(await readdir(output.path)).toEqual([basename(artifact.path)]);
});

test("CSV has every digit that JSON has", async () => {
  await using output = await folder();
  const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0);
  const finite = { noNaN: true, noDefaultInfinity: true };
  const floats = fc.array(fc.float(finite), { maxLength: 6 }).map((all) => Float32Array.from(all, (x) => x + 0));
  const row = fc.record({
    kind: fc.constant("latent" as const),
    index: fc.nat(),
    pts: fc.maxSafeInteger(),
    status: fc.constantFrom(...STATUSES),
    track: fc.integer({ min: -1 }),
    shot: fc.nat(),
    box: fc.option(fc.record({ x: number, y: number, width: number, height: number }, { noNullPrototype: true })),
    score: number,
    landmarks: fc.option(floats),
    z: fc.constant(null),
    shape: fc.constant([]),
    q: fc.option(floats),
    label: fc.record({ valence: number, arousal: number }, { noNullPrototype: true }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 8 }), async (records) => {
      const { text } = await write(output.path, "csv", records);
      expect(readCsv(text)).toEqual(readJsonl((await write(output.path, "jsonl", records)).text));
    }),
    { numRuns: 30 },
  );
});

test("crops are written too, and no rows give a header alone or nothing", async () => {
  await using output = await folder();
  const crops = RECORDS.map(({ z: _z, q: _q, shape: _shape, ...subject }): Crop => {
    return { ...subject, kind: "crop", image: null, frame: { width: 8, height: 6 } };
  });
  const withoutQ = JSONL.replace('"q":[0.5,0.25,0.25,0]', '"q":null');
  expect((await write(output.path, "jsonl", crops)).text).toBe(withoutQ);
  expect((await write(output.path, "csv", [])).text).toBe(`${HEADER}\n`);
  expect((await write(output.path, "jsonl", [])).text).toBe("");
});

test.each([
  ["a b.mp4", "a_b.mp4"],
  ["../../etc/passwd", "etc_passwd"],
  ["-rf --no.mp4", "rf_--no.mp4"],
  ['"quoted"\nline %03d concat:x|y', "quoted_line_03d_concat_x_y"],
  ["видео/клип.mp4", "видео_клип.mp4"],
  [".hidden", "hidden"],
  ["…", "source"],
  ["x".repeat(300), "x".repeat(50)],
  ["😀".repeat(5), "source"],
])("the file of %j is called %s", async (name, expected) => {
  await using output = await folder();
  const { artifact } = await write(output.path, "jsonl", latents(1), name);
  expect(await readdir(output.path)).toEqual([`${expected}-${SOURCE.digest.slice(0, 8)}.jsonl`]);
  expect(artifact.path).toBe(join(output.path, `${expected}-${SOURCE.digest.slice(0, 8)}.jsonl`));
});

test("an error leaves the file of before, and nothing half-written", async () => {
  await using output = await folder();
  const { artifact, text } = await write(output.path, "jsonl", latents(4));
  await using context = task(1, { ...SOURCE, name: "a.mp4" });
  const broken = async function* () {
    yield* counted(latents(9), context);
    throw new Error("broke off");
  };
  await expect(only(writeRows({ output: output.path }).run(context)(broken()))).rejects.toThrow("broke off");
  expect(await readFile(artifact.path, "utf8")).toBe(text);
  expect(await readdir(output.path)).toEqual([basename(artifact.path)]);
  expect(await openFiles(output.path)).toEqual([]);
  await writeFile(join(output.path, "file"), "");
  await expect(write(join(output.path, "file"), "csv", [])).rejects.toThrow(/Cannot write .*file/);
});
