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

/** What the row of a record is to say. */
function said(record: Crop | Latent) {
  const { index, pts, status, track, shot, box, score, landmarks, label } = record;
  const q = record.kind === "latent" ? record.q : null;
  return {
    index,
    pts,
    status,
    track,
    shot,
    box_x: box?.x ?? null,
    box_y: box?.y ?? null,
    box_width: box?.width ?? null,
    box_height: box?.height ?? null,
    score,
    landmarks: landmarks && [...landmarks],
    q: q && [...q],
    valence: label?.valence ?? null,
    arousal: label?.arousal ?? null,
  };
}

const TEXT = new Set(["status"]);
function readCsv(text: string): Record<string, unknown>[] {
  return parse(text, {
    columns: true,
    cast: (value, { column, header }) =>
      header || TEXT.has(String(column)) ? value : value === "" ? null : JSON.parse(value),
  });
}

test("JSONL: an object a row", async () => {
  await using output = await folder();
  const records = latents(9);
  const { artifact, text, counts } = await write(output.path, "jsonl", records);
  expect(
    text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual(records.map(said));
  expect(artifact.bytes).toBe(Buffer.byteLength(text));
  expect(counts.rows).toMatchObject({ ok: 7, no_face: 2 });
  expect(await readdir(output.path)).toEqual([basename(artifact.path)]);
});

test("CSV comes back with every digit", async () => {
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
      expect(readCsv(text)).toEqual(records.map(said));
    }),
    { numRuns: 60 },
  );
});

test("crops are written too, and no rows give a header alone or nothing", async () => {
  await using output = await folder();
  const crops = latents(3).map(({ z: _z, q: _q, shape: _shape, ...subject }) => {
    const frame = { width: 8, height: 6 };
    return { ...subject, kind: "crop" as const, image: null, frame };
  });
  expect(readCsv((await write(output.path, "csv", crops)).text)).toEqual(crops.map(said));
  expect((await write(output.path, "csv", [])).text.split("\n")).toEqual([
    expect.stringMatching(/^index,pts,.*,q,valence,arousal$/),
    "",
  ]);
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
