import { truncate } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as tick } from "node:timers/promises";
import { expect, test } from "vitest";
import { type Entry, openEntry } from "../../src/cache/entry.ts";
import { windowsOf } from "../../src/cache/windows.ts";
import { digestOf } from "../../src/digest.ts";
import type { Batch, Window } from "../../src/records.ts";
import batch from "../../src/stages/batch.ts";
import type { Context } from "../../src/stages/define.ts";
import { toStream } from "../../src/stages/stream.ts";
import { folder, latents, openFiles, SHAPE, SIZE, write } from "../cache/helpers.ts";
import { task } from "./cached.ts";

/** Windows of several lengths over an entry of 30 latents, with holes and tails. */
async function windows(output: string, name = "clip", n = [4, 3]): Promise<Window[]> {
  const records = latents(40).map((one, i) => (i % 3 === 0 ? { ...one, label: { valence: i, arousal: -i } } : one));
  const { path } = await write(output, records, { source: { name, bytes: 1, digest: digestOf(name) } });
  let row = 0;
  const rows = records.map((one) => (one.z === null ? one : { ...one, place: { folder: path, row: row++ } }));
  return [...windowsOf(rows, { source: name, clip: null, folder: path, shape: SHAPE }, { lengths: { n }, gap: 200 })];
}

async function batches(given: readonly Window[], options: object, context: Context): Promise<Batch[]> {
  const found: Batch[] = [];
  const made = batch({ threads: 1, ...options }).run(context)(
    (async function* () {
      yield* given;
    })(),
  );
  for await (const one of made) found.push(one);
  return found;
}

/** Slow and obvious: every step by itself. */
function slow({ windows, n }: Batch, entry: Entry): Pick<Batch, "values" | "present" | "labels"> {
  const [values, present, labels]: [number[], number[], number[]] = [[], [], []];
  for (const window of windows)
    for (let t = 0; t < n; t++) {
      const z = new Float32Array(SIZE);
      if (window.rows[t]! >= 0) entry.readZ(window.rows[t]!, 1, z);
      values.push(...z);
      present.push(window.rows[t]! >= 0 ? 1 : 0);
      labels.push(window.labels[t * 2]!, window.labels[t * 2 + 1]!);
    }
  return { values: Float32Array.from(values), present: Uint8Array.from(present), labels: Float32Array.from(labels) };
}

test("every window once, by length, in order, the last of each length among fewer; values as a loop reads them", async () => {
  await using output = await folder();
  const given = await windows(output.path);
  using entry = await openEntry(given[0]!.folder);
  await using context = task();
  expect(await batches([], {}, context)).toEqual([]);
  for (const options of [{ size: 3 }, { size: 1, ahead: 0 }, { size: 1000, ahead: 5 }]) {
    const made = await batches(given, options, context);
    for (const one of made) {
      expect(one.windows.length).toBeLessThanOrEqual(options.size);
      expect(one.windows.every(({ n }) => n === one.n)).toBe(true);
      expect([one.kind, one.shape]).toEqual(["batch", SHAPE]);
      const { values, present, labels } = slow(one, entry);
      expect(Buffer.from(one.values.buffer).equals(Buffer.from(values.buffer))).toBe(true);
      expect([one.present, one.labels]).toEqual([present, labels]);
    }
    for (const n of [4, 3]) {
      const own = made.filter((one) => one.n === n);
      expect(own.flatMap(({ windows }) => windows)).toEqual(given.filter((one) => one.n === n));
      expect(own.slice(0, -1).every(({ windows }) => windows.length === options.size)).toBe(true);
    }
  }
});

test("a broken shard fails the stage by name, and leaves nothing open", async () => {
  await using output = await folder();
  const given = [...(await windows(output.path, "a", [4])), ...(await windows(output.path, "b", [4]))];
  await truncate(join(given.at(-1)!.folder, "z-00000.arrow"), 50);
  await using context = task();
  await expect(batches(given, { size: 2 }, context)).rejects.toThrow(
    /^b \(.*\) is not intact: z-00000.arrow is truncated/,
  );
  await context[Symbol.asyncDispose]();
  expect(await openFiles(output.path)).toEqual([]);
});

test("stopped in the middle, it closes with nothing under way", async () => {
  await using output = await folder();
  const given = await windows(output.path);
  const controller = new AbortController();
  {
    await using context = task(1, undefined, controller.signal);
    const stream = toStream(batch({ size: 1, threads: 1, memory: 0 }), context);
    const failed = new Promise<Error>((done) => stream.once("error", done));
    for (const window of given) stream.write(window);
    await new Promise((done) => stream.once("readable", done));
    stream.read();
    controller.abort(new Error("stopped"));
    expect((await failed).message).toBe("stopped");
    while (!stream.closed) await tick();
  }
  expect(await openFiles(output.path)).toEqual([]);
});
