import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { RecordBatchReader, tableFromIPC } from "apache-arrow";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DTYPES } from "../../src/cache/dtype.ts";
import { openEntry } from "../../src/cache/entry.ts";
import { readMarker } from "../../src/cache/marker.ts";
import { LatentWriter } from "../../src/cache/writer.ts";
import { digestOf, type Json } from "../../src/digest.ts";
import { Ledger } from "../../src/ledger.ts";
import { type Latent, STATUSES } from "../../src/records.ts";
import { folder, latents, openFiles, options, readAll, SHAPE, SIZE, tree, write } from "./helpers.ts";

/** A shard of this many rows of SHAPE; a shard keeps 256 KiB for its frame. */
const shardOf = (rows: number, bytes: number) => (1 << 18) + rows * SIZE * bytes;

describe.each(DTYPES)("%s", (dtype) => {
  const bytes = { float16: 2, float32: 4, uint8: 1 }[dtype];

  test("rows and latents come back, over several shards", async () => {
    await using output = await folder();
    const records = latents(41);
    const { path } = await write(output.path, records, { dtype, shardBytes: shardOf(7, bytes) });
    expect((await readdir(path)).sort()).toEqual([
      "marker.json",
      "rows.arrow",
      ...[0, 1, 2, 3, 4].map((n) => `z-0000${n}.arrow`),
    ]);
    const { rows, z } = await readAll(path);
    expect(rows.map(({ z: _z, labels: _labels, ...row }) => row)).toEqual(
      records.map(({ kind: _kind, z: _z, shape: _shape, ...row }) => row),
    );
    const tolerance = { float16: 3 * 2 ** -11, float32: 0, uint8: 6 / 255 / 2 + 1e-6 }[dtype];
    for (const [i, record] of records.entries()) {
      expect(z[i] === null).toBe(record.z === null);
      for (const [k, x] of (record.z ?? []).entries()) expect(Math.abs(z[i]![k]! - x)).toBeLessThanOrEqual(tolerance);
    }
    expect(await openFiles(output.path)).toEqual([]);
  });

  test("any window reads what single latents read", async () => {
    await using output = await folder();
    const { path } = await write(output.path, latents(60), { dtype, shardBytes: shardOf(11, bytes) });
    using entry = await openEntry(path);
    const one = (row: number) => {
      const z = new Float32Array(SIZE);
      entry.readZ(row, 1, z);
      return [...z];
    };
    const singles = Array.from({ length: entry.length }, (_, row) => one(row));
    fc.assert(
      fc.property(fc.nat(entry.length), fc.nat(entry.length), fc.nat(3), (a, b, at) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        const into = new Float32Array(at + (end - start) * SIZE + 1).fill(-9);
        entry.readZ(start, end - start, into, at);
        expect([...into.subarray(at, -1)]).toEqual(singles.slice(start, end).flat());
        expect([...into.subarray(0, at), into.at(-1)]).toEqual(new Array(at + 1).fill(-9));
      }),
    );
  });

  test("apache-arrow reads the shards too", async () => {
    await using output = await folder();
    const records = latents(9);
    const { path } = await write(output.path, records, { dtype });
    const table = tableFromIPC(await readFile(join(path, "z-00000.arrow")));
    const field = table.schema.fields[0]!;
    expect([field.name, field.nullable, String(field.type)]).toEqual([
      "z",
      false,
      `FixedSizeList[${SIZE}]<${{ float16: "Float16", float32: "Float32", uint8: "Uint8" }[dtype]}>`,
    ]);
    const metadata = Object.fromEntries(table.schema.metadata);
    expect(metadata).toMatchObject({ dtype, shape: "[3,2,5]", weights: "untrained (seed 1)", key: options("").key });
    expect("scale" in metadata).toBe(dtype === "uint8");
    const { z } = await readAll(path);
    const stored = table.getChild("z")!.get(2)!.toArray();
    const third = z.filter((one) => one !== null)[2]!;
    if (dtype === "float32") expect(stored).toEqual(third);
    if (dtype === "uint8") {
      const [scale, offset] = [JSON.parse(metadata.scale!), JSON.parse(metadata.offset!)];
      expect(
        Float32Array.from(
          stored as Uint8Array,
          (code, k) => offset[Math.floor(k / 10)] + scale[Math.floor(k / 10)] * code,
        ),
      ).toEqual(third);
    }
  });

  test("same input, same bytes", async () => {
    await using a = await folder();
    await using b = await folder();
    const more = { dtype, shardBytes: shardOf(7, bytes) };
    await write(a.path, latents(33), more);
    await write(b.path, latents(33), more);
    expect(await tree(a.path)).toEqual(await tree(b.path));
  });

  test("a latent that is not finite fails by name and leaves nothing", async () => {
    await using output = await folder();
    const records = latents(12);
    records[9]!.z![4] = Number.NaN;
    await expect(write(output.path, records, { dtype })).rejects.toThrow(
      "frame 4 (pts 133468 µs), track 1: z holds NaN at element 4; a latent must be finite.",
    );
    expect(await readdir(output.path)).toEqual([]);
    expect(await openFiles(output.path)).toEqual([]);
  });
});

test.each([
  ["no rows", 0, (record: Latent) => record, 0],
  ["one row", 1, (record: Latent) => record, 1],
  ["rows without any latent", 7, (record: Latent) => ({ ...record, z: null, status: "no_face" as const }), 0],
])("%s", async (_name, count, change, length) => {
  await using output = await folder();
  const { path } = await write(output.path, latents(count).map(change));
  using entry = await openEntry(path);
  expect(entry.length).toBe(length);
  expect(entry.marker.files).toHaveLength(1 + length);
  expect(entry.marker.files[0].rows).toBe(count);
  expect(entry.shape).toEqual(length ? SHAPE : []);
  expect((await readAll(path)).rows).toHaveLength(count);
  entry.readZ(0, 0, new Float32Array(0));
  expect(() => entry.readZ(0, length + 1, new Float32Array(99))).toThrow(RangeError);
  if (length > 0) expect(() => entry.readZ(0, 1, new Float32Array(SIZE - 1))).toThrow(RangeError);
});

test("any row comes back as it went", async () => {
  await using output = await folder();
  const number = fc.double({ noNaN: true, noDefaultInfinity: true });
  const floats = fc.array(fc.float({ noNaN: true }), { maxLength: 12 }).map((all) => Float32Array.from(all));
  const row = fc.record({
    kind: fc.constant("latent" as const),
    index: fc.nat(),
    pts: fc.maxSafeInteger(),
    status: fc.constantFrom(...STATUSES),
    track: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
    shot: fc.nat(),
    box: fc.option(fc.record({ x: number, y: number, width: number, height: number }, { noNullPrototype: true })),
    score: number,
    presence: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    landmarks: fc.option(floats),
    z: fc.constant(null),
    shape: fc.constant(SHAPE),
    q: fc.option(fc.array(fc.float({ noNaN: true }), { minLength: 4, maxLength: 4 }).map((q) => Float32Array.from(q))),
  });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 20 }), async (rowsOrNull) => {
      const records = rowsOrNull.map(({ presence, ...record }) => ({
        ...record,
        ...(presence !== null && { presence }),
      }));
      const { path } = await write(join(output.path, String(run++)), records);
      const { rows } = await readAll(path);
      expect(rows).toEqual(
        records.map(({ kind: _kind, shape: _shape, ...record }) => ({ ...record, z: null, labels: null })),
      );
    }),
    { numRuns: 40 },
  );
});

test("labels lie beside their rows", async () => {
  await using output = await folder();
  const records = latents(3);
  await using writer = await LatentWriter.open(options(output.path));
  await writer.append(records[0]!, { valence: 0.5, arousal: -1, note: "ü" });
  await writer.append(records[1]!);
  await writer.append(records[2]!, []);
  const { path } = await writer.publish({ verdict: "complete", counts: new Ledger().counts });
  const { rows } = await readAll(path);
  expect(rows.map(({ labels }) => labels)).toEqual([{ arousal: -1, note: "ü", valence: 0.5 }, null, []]);
});

test("every file says in which range its labels are, and of which data set where that is known", async () => {
  await using output = await folder();
  const range = { valence: [-2, 3], arousal: [0, 1] };
  for (const [i, [facts, told]] of [
    [{}, undefined],
    [{ range }, range],
    [
      { range, labels: { dataset: "sewa", ...range } },
      { dataset: "sewa", ...range },
    ],
  ].entries()) {
    const { path } = await write(output.path, latents(5), { facts: facts as Record<string, Json>, key: digestOf(i) });
    for (const name of ["rows.arrow", "z-00000.arrow"]) {
      const text = tableFromIPC(await readFile(join(path, name))).schema.metadata.get("labels");
      expect(text && JSON.parse(text)).toEqual(told);
    }
  }
});

test("rows beyond one record batch keep one dictionary", async () => {
  await using output = await folder();
  const records = latents(2_500, [1, 1, 2]);
  const { path } = await write(output.path, records);
  const reader = RecordBatchReader.from(await readFile(join(path, "rows.arrow"))).open();
  expect([reader.numRecordBatches, reader.numDictionaries]).toEqual([3, 1]);
  const { rows } = await readAll(path);
  expect(rows.map(({ index, status }) => [index, status])).toEqual(records.map((r) => [r.index, r.status]));
});

test("float16 names what is beyond its range, float32 keeps it", async () => {
  await using output = await folder();
  const records = latents(2);
  records[1]!.z![29] = -70_000;
  await expect(write(output.path, records)).rejects.toThrow(
    "frame 0 (pts 0 µs), track 1: z holds -70000 at element 29, beyond float16's range (±65504).",
  );
  const { path } = await write(output.path, records, { dtype: "float32" });
  expect((await readAll(path)).z[1]![29]).toBe(-70_000);
});

test("a latent of another shape, and a q of another length, are refused", async () => {
  await using output = await folder();
  const [first, second] = latents(2) as [Latent, Latent];
  await expect(write(output.path, [first, { ...second, shape: [5, 2, 3] }])).rejects.toThrow(
    "track 1: z has shape [5,2,3], the latents before it [3,2,5].",
  );
  await expect(write(output.path, [{ ...first, z: new Float32Array(29) }])).rejects.toThrow("z has 29 values");
  await expect(write(output.path, [{ ...first, q: new Float32Array(3) }])).rejects.toThrow("q has 3 values");
  expect(await readdir(output.path)).toEqual([]);
});

test("what is full is on disk, not in memory", async () => {
  await using output = await folder();
  await using writer = await LatentWriter.open(options(output.path));
  // 1 MiB each as float16, four to a record batch of 4 MiB.
  const record = { ...latents(1)[0]!, z: new Float32Array(1 << 19), shape: [8, 256, 256] };
  const temp = join(output.path, ".tmp", (await readdir(join(output.path, ".tmp")))[0]!, "entry");
  const sizes: number[] = [];
  for (let i = 0; i < 13; i++) {
    await writer.append(record);
    sizes.push((await stat(join(temp, "z-00000.arrow")).catch(() => ({ size: 0 }))).size >> 20);
  }
  expect(sizes).toEqual([0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12]);
});

test("the marker says what the entry is, and nothing of when or where", async () => {
  await using output = await folder();
  const { path } = await write(output.path, latents(5), { output: output.path });
  const marker = await readMarker(path);
  expect(marker).toMatchObject({
    source: { name: "clip one.mp4", bytes: 12_345 },
    verdict: "complete",
    facts: { weights: "untrained (seed 1)" },
    latents: { shape: SHAPE, dtype: "float16", rows: 4 },
    versions: { "affect-pipe": expect.stringMatching(/^\d+\.\d+\.\d+/) },
  });
  const text = await readFile(join(path, "marker.json"), "utf8");
  expect(text).not.toContain(output.path);
  expect(text).not.toContain(String(process.pid));
});

test("an entry that is there and intact stays; ours is dropped", async () => {
  await using output = await folder();
  const { path } = await write(output.path, latents(5));
  const { ino } = await stat(join(path, "rows.arrow"));
  await write(output.path, latents(5));
  expect((await stat(join(path, "rows.arrow"))).ino).toBe(ino);
  expect(await readdir(output.path)).not.toContain(".tmp");
});

test("giving up before publishing leaves nothing", async () => {
  await using output = await folder();
  await mkdir(join(output.path, "keep"));
  {
    await using writer = await LatentWriter.open(options(output.path, { dtype: "uint8", shardBytes: shardOf(3, 1) }));
    for (const record of latents(11)) await writer.append(record);
  }
  expect(await readdir(output.path)).toEqual(["keep"]);
  expect(await openFiles(output.path)).toEqual([]);
});
