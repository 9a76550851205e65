/**
 * Windows read from the latent cache per second, against a bare copy in memory and against apache-arrow's `vector.get`;
 * latents written per second; and a warm look at 200 entries.
 *
 *     npx tsx bench/cache.ts
 *
 * A window is 8 latents of 68×32×32 (ANCLaF's ZQ, preset paper) as float32, 2.2 MB, at random places of one entry of 240
 * latents. All run in one process, in turns; the best of three is taken.
 * What it does not show: a cold disk. The files are in the page cache, as in every epoch of a training but the first.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { checkEntry } from "../src/cache/check.ts";
import { DTYPES } from "../src/cache/dtype.ts";
import { type Entry, openEntry } from "../src/cache/entry.ts";
import { LatentWriter } from "../src/cache/writer.ts";
import { digestOf } from "../src/digest.ts";
import { Ledger } from "../src/ledger.ts";
import type { Latent } from "../src/records.ts";

const SHAPE = [68, 32, 32];
const SIZE = 68 * 32 * 32;
const ROWS = 240;
const WINDOW = 8;
const TURNS = 3;

const root = await mkdtemp(join(tmpdir(), "bench-cache-"));
try {
  await reading();
  await looking();
} finally {
  await rm(root, { recursive: true });
}

async function reading(): Promise<void> {
  const entries: Record<string, Entry> = {};
  const written: string[] = [];
  for (const dtype of DTYPES) {
    const from = performance.now();
    const path = await write(dtype, `clip ${dtype}`, ROWS, SHAPE);
    written.push(`${dtype} ${(ROWS / ((performance.now() - from) / 1000)).toFixed(0)}`);
    entries[dtype] = await openEntry(path);
  }
  const memory = new Float32Array(ROWS * SIZE);
  entries.float32!.readZ(0, ROWS, memory);
  const table = tableFromIPC(await readFile(join(entries.float16!.folder, "z-00000.arrow")));
  const column = table.getChild("z")!;
  const into = new Float32Array(WINDOW * SIZE);

  const contestants: Record<string, (start: number) => void> = {
    "copy in memory (float32)": (start) => into.set(memory.subarray(start * SIZE, (start + WINDOW) * SIZE)),
    ...Object.fromEntries(
      DTYPES.map((dtype) => [`readZ, ${dtype}`, (start: number) => entries[dtype]!.readZ(start, WINDOW, into)]),
    ),
    "apache-arrow, float16, vector.get of each value": (start) => {
      for (let row = 0; row < WINDOW; row++) {
        const vector = column.get(start + row)!;
        for (let k = 0; k < SIZE; k++) into[row * SIZE + k] = vector.get(k);
      }
    },
  };
  const best = new Map<string, number>();
  for (let turn = 0; turn < TURNS; turn++)
    for (const [name, read] of Object.entries(contestants)) best.set(name, Math.max(best.get(name) ?? 0, rate(read)));
  for (const entry of Object.values(entries)) entry.close();

  const float16 = best.get("readZ, float16")!;
  console.log(`| ${availableParallelism()} cores | windows/s | GB/s of float32 | readZ float16 / this |`);
  console.log("|---|---|---|---|");
  for (const [name, windows] of best) {
    const gigabytes = (windows * WINDOW * SIZE * 4) / 1e9;
    console.log(`| ${name} | ${windows.toFixed(1)} | ${gigabytes.toFixed(2)} | ${(float16 / windows).toFixed(2)} |`);
  }
  console.log(`\nWritten, hashed, synced and published, latents/s: ${written.join(", ")}.`);
}

/** Calls a second, at the same pseudo-random places for everyone. */
function rate(read: (start: number) => void): number {
  let place = 1;
  let windows = 0;
  const from = performance.now();
  while (performance.now() - from < 700) {
    place = (place * 16_807) % 2_147_483_647;
    read(place % (ROWS - WINDOW));
    windows += 1;
  }
  return windows / ((performance.now() - from) / 1000);
}

/** A rerun over 200 videos that are cached already, against one that hashes everything. */
async function looking(): Promise<void> {
  const paths: string[] = [];
  for (let i = 0; i < 200; i++) paths.push(await write("float16", `clip ${i}`, 60, [8, 32, 32]));
  const seconds = async (trust: boolean) => {
    const from = performance.now();
    for (const path of paths)
      if ((await checkEntry(path, { trust })).problems.length > 0) throw new Error(`${path} is broken`);
    return ((performance.now() - from) / 1000).toFixed(2);
  };
  const [warm, hashed] = [await seconds(true), await seconds(false)];
  console.log(
    `\n200 entries of 60 latents of 8×32×32 (200 MB): known ones checked in ${warm} s, hashed in ${hashed} s.`,
  );
}

async function write(dtype: (typeof DTYPES)[number], name: string, rows: number, shape: number[]): Promise<string> {
  const size = shape.reduce((a, b) => a * b, 1);
  const z = Float32Array.from({ length: size }, (_, k) => Math.sin(k));
  const source = { name, bytes: 1, digest: digestOf(name) };
  const key = digestOf([name, dtype]);
  await using writer = await LatentWriter.open({ output: root, source, key, keyParts: null, facts: {}, dtype });
  for (let i = 0; i < rows; i++) {
    z[i % size] = i;
    const latent: Latent = {
      kind: "latent",
      index: i,
      pts: i,
      status: "ok",
      track: 0,
      shot: 0,
      box: null,
      score: 1,
      landmarks: null,
      z,
      shape,
      q: null,
    };
    await writer.append(latent);
  }
  return (await writer.publish({ verdict: "complete", counts: new Ledger().counts })).path;
}
