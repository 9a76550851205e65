import { appendFile, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { DTYPES, type Dtype } from "../../src/cache/dtype.ts";
import { openEntry } from "../../src/cache/entry.ts";
import { openWindowReader, type WindowPlace } from "../../src/cache/window-reader.ts";
import { digestOf } from "../../src/digest.ts";
import { seeded } from "../../src/random.ts";
import { folder, latents, openFiles, readAll, write } from "./helpers.ts";

const SHAPE = [3, 5];
const SIZE = 15;
const NONE = -1;

/** An entry of `count` latents in several shards and record batches, and what it holds. */
async function entry(
  output: string,
  name: string,
  { dtype = "float16" as Dtype, count = 24, shardBytes = 2 ** 18 + 200 } = {},
) {
  const source = { name, bytes: 1, digest: digestOf(name) };
  const records = latents(Math.ceil((count * 4) / 3), SHAPE);
  const { path } = await write(output, records, { source, dtype, shardBytes });
  const z = (await readAll(path)).z.filter((one) => one !== null);
  return { path, z };
}

const place = (folder: string, rows: readonly number[]): WindowPlace => ({
  folder,
  rows: Int32Array.from(rows),
  shape: SHAPE,
});

/** Slow and obvious: one step after the other. */
function slow(windows: readonly WindowPlace[], z: ReadonlyMap<string, readonly Float32Array[]>): Float32Array {
  const all = windows.flatMap(({ folder, rows }) =>
    [...rows].flatMap((row) => (row === NONE ? new Array<number>(SIZE).fill(0) : [...z.get(folder)![row]!])),
  );
  return Float32Array.from(all);
}

/** Equal bit for bit, without a comparison of large arrays. */
const same = (a: Float32Array, b: Float32Array) =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

const stepsOf = (windows: readonly WindowPlace[]) => windows.reduce((sum, { rows }) => sum + rows.length, 0);

describe("windows of three entries", () => {
  let output: Awaited<ReturnType<typeof folder>>;
  const z = new Map<string, Float32Array[]>();
  const paths: string[] = [];
  beforeAll(async () => {
    output = await folder();
    for (const dtype of DTYPES) {
      const made = await entry(output.path, dtype, { dtype });
      z.set(made.path, made.z);
      paths.push(made.path);
    }
    return () => output[Symbol.asyncDispose]();
  });

  test("lie in several shards and record batches", async () => {
    for (const path of paths) {
      using opened = await openEntry(path);
      const { shardRows, batchRows } = opened.marker.latents;
      expect(opened.length).toBe(24);
      expect([shardRows, batchRows].every((rows) => rows < 24)).toBe(true);
    }
  });

  test("are what a loop over the rows reads, whatever is kept in memory, in one's own memory or the reader's", async () => {
    const row = fc.oneof({ weight: 1, arbitrary: fc.constant(NONE) }, { weight: 5, arbitrary: fc.nat(23) });
    const run = fc
      .tuple(fc.nat(20), fc.nat(12))
      .map(([at, n]) => Array.from({ length: n }, (_, i) => Math.min(23, at + i)));
    const window = fc.tuple(fc.nat(2), fc.oneof(fc.array(row, { maxLength: 6 }), run));
    for (const [threads, bytes] of [
      [2, 0],
      [1, 600],
      [1, 2 ** 20],
    ] as const) {
      await using reader = await openWindowReader({ bytes, threads, files: 2 });
      const own = reader.allocate(2000);
      await fc.assert(
        fc.asyncProperty(fc.array(window, { maxLength: 9 }), async (asked) => {
          const windows = asked.map(([which, rows]) => place(paths[which]!, rows));
          const values = stepsOf(windows) * SIZE;
          const [mine, its] = [new Float32Array(values).fill(7), own.subarray(0, values).fill(7)];
          await Promise.all([reader.read(windows, mine), reader.read(windows, its)]);
          const expected = slow(windows, z);
          expect(same(mine, expected)).toBe(true);
          expect(same(its, expected)).toBe(true);
        }),
        { numRuns: 40 },
      );
    }
    expect(await openFiles(output.path)).toEqual([]);
  });

  test("many reads under way at once, each gets its own", async () => {
    await using reader = await openWindowReader({ threads: 2, bytes: 0 });
    const random = seeded(3);
    const reads = Array.from({ length: 40 }, () => {
      const windows = Array.from({ length: 1 + Math.floor(random.next() * 30) }, () =>
        place(
          paths[Math.floor(random.next() * 3)]!,
          Array.from({ length: 4 }, () => Math.floor(random.next() * 24)),
        ),
      );
      return { windows, into: new Float32Array(stepsOf(windows) * SIZE) };
    });
    await Promise.all(reads.map(({ windows, into }) => reader.read(windows, into)));
    for (const { windows, into } of reads) expect(same(into, slow(windows, z))).toBe(true);
    // Of the many reads only a few had buffers at a time, each of the next power of two.
    expect(reader.held.buffers).toBeLessThanOrEqual(4 * 3 * 2 ** 16);
  });

  test("memory and open files stay within what was allowed", async () => {
    const reader = await openWindowReader({ threads: 1, bytes: 700, files: 2 });
    const into = reader.allocate(24 * SIZE);
    for (const path of [...paths, ...paths]) {
      const windows = [place(path, [...Array(24).keys()])];
      await reader.read(windows, into);
      expect(same(into, slow(windows, z))).toBe(true);
      const { rows, buffers } = reader.held;
      expect(rows).toBeGreaterThan(400);
      expect(rows).toBeLessThanOrEqual(700);
      expect(buffers).toBe(2 ** 16);
      expect((await openFiles(output.path)).length).toBeLessThanOrEqual(2);
    }
    await reader[Symbol.asyncDispose]();
    expect(await openFiles(output.path)).toEqual([]);
  });

  test("what is kept is not read again", async () => {
    await using reader = await openWindowReader({ threads: 1 });
    const windows = [place(paths[0]!, [5, 6, 7]), place(paths[0]!, [7, 8])];
    const into = new Float32Array(5 * SIZE);
    await reader.read(windows, into);
    const { rows } = reader.held;
    expect(rows).toBe(4 * 32);
    into.fill(7);
    await reader.read([...windows].reverse(), into);
    expect(same(into, slow([...windows].reverse(), z))).toBe(true);
    expect(reader.held.rows).toBe(rows);
  });

  test("no windows, and windows of no steps, are read at once; what does not fit is refused, and the next is read", async () => {
    await using reader = await openWindowReader({ threads: 1 });
    await reader.read([], new Float32Array(0));
    await reader.read([place(paths[0]!, [])], new Float32Array(0));
    const one = new Float32Array(SIZE);
    await reader.read([place(paths[1]!, [NONE])], one.fill(7));
    expect([...one]).toEqual(new Array(SIZE).fill(0));
    const read = (window: WindowPlace, values = SIZE) => reader.read([window], new Float32Array(values));
    await expect(read(place(paths[0]!, [24]))).rejects.toThrow(/that has 24 rows, and it wants row 24/);
    await expect(read({ ...place(paths[0]!, [0]), shape: [5, 3] })).rejects.toThrow(
      /steps of \[3,5\], and it wants \[5,3\]/,
    );
    await expect(read(place(paths[0]!, [0]), SIZE + 1)).rejects.toThrow(RangeError);
    await expect(read(place(join(output.path, "nowhere"), [0]))).rejects.toThrow(/is not intact: there is no folder/);
    await read(place(paths[0]!, [0]));
  });

  test("closing fails the reads that are under way, and leaves nothing open", async () => {
    const reader = await openWindowReader({ threads: 2, bytes: 0 });
    await reader.check(paths);
    const windows = Array.from({ length: 64 }, (_, i) => place(paths[i % 3]!, [...Array(24).keys()]));
    const reads = Array.from({ length: 12 }, () => reader.read(windows, new Float32Array(64 * 24 * SIZE)));
    const settled = Promise.allSettled(reads);
    await reader[Symbol.asyncDispose]();
    const failed = (await settled).filter(({ status }) => status === "rejected");
    expect(failed.length).toBeGreaterThan(0);
    expect(await openFiles(output.path)).toEqual([]);
    await expect(reader.read(windows, new Float32Array(64 * 24 * SIZE))).rejects.toThrow("closed");
  });
});

test("more memory than there can be is refused in words", async () => {
  await expect(openWindowReader({ bytes: 2 ** 40 })).rejects.toThrow("There is no memory to keep 1099511627776 bytes");
});

describe("damaged entries", () => {
  test("are all named before an epoch begins", async () => {
    await using output = await folder();
    const [whole, cut, gone] = await Promise.all(["whole", "cut", "gone"].map((name) => entry(output.path, name)));
    await truncate(join(cut!.path, "z-00000.arrow"), 40);
    await rm(join(gone!.path, "z-00001.arrow"));
    await using reader = await openWindowReader({ threads: 1 });
    await reader.check([whole!.path]);
    const folders = [whole!, cut!, gone!, gone!].map(({ path }) => path);
    const error = await reader.check(folders).catch((error) => error);
    expect(error.message).toMatch(/is not intact: z-00000.arrow is truncated: 40 bytes instead of \d+\./);
    expect(error.message).toMatch(/is not intact: z-00001.arrow is missing\.$/);
    expect(error.message).toMatch(/^cut \([0-9a-f]{16}\/[0-9a-f]{16}\) .* gone \(/);
    expect(error.message).not.toContain("whole");
    expect(error.hint).toMatch("replaces broken entries");
  });

  test("what is written to after it was checked is noticed when it is opened, each time", async () => {
    await using output = await folder();
    const { path } = await entry(output.path, "changed");
    await using reader = await openWindowReader({ threads: 1 });
    await reader.check([path]);
    await appendFile(join(path, "z-00000.arrow"), "x");
    const read = () => reader.read([place(path, [0])], new Float32Array(SIZE));
    await expect(read()).rejects.toThrow(/z-00000.arrow was written to after it was verified/);
    await expect(read()).rejects.toThrow(/z-00000.arrow was written to after it was verified/);
    await rm(join(path, "z-00000.arrow"));
    await expect(read()).rejects.toThrow(/z-00000.arrow is gone/);
    expect(await openFiles(output.path)).toEqual([]);
  });
});
