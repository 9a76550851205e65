/**
 * Windows read from the latent cache into batches, per second, beside a bare copy of the same float32 in memory.
 *
 *     npx tsx bench/windows.ts [seconds a trial]
 *
 * Two shapes, both float16: windows of 64 steps of 512 values (64 KiB as stored, 128 KiB as float32), 32 in a batch; and
 * windows of 8 steps of 256 features (4 KiB and 8 KiB), 512 in a batch. Windows begin at random steps of one entry of
 * 64 MiB. All contestants run in one process, in turns; the best of five is taken. The copy is made by one thread, window
 * by window, out of all latents as float32; two batches are under way at a time in all others.
 * What it does not show: a cold disk (files are in the page cache, as in every epoch but the first), what the training
 * beside it leaves of the memory's bandwidth, and latents that are larger than memory, where rows are read anew ("none kept").
 */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { type Entry, openEntry } from "../src/cache/entry.ts";
import { openWindowReader, type WindowPlace, type WindowReader } from "../src/cache/window-reader.ts";
import { LatentWriter } from "../src/cache/writer.ts";
import { digestOf } from "../src/digest.ts";
import { Ledger } from "../src/ledger.ts";
import { seeded } from "../src/random.ts";

const SECONDS = Number(process.argv[2] ?? 0.5);
const TURNS = 5;
const ENTRY_BYTES = 64 * 2 ** 20;
const CASES = [
  { steps: 64, size: 512, batch: 32 },
  { steps: 8, size: 256, batch: 512 },
];

const root = await mkdtemp(join(tmpdir(), "bench-windows-"));
try {
  for (const one of CASES) await compare(one);
} finally {
  await rm(root, { recursive: true });
}

interface Case {
  readonly steps: number;
  readonly size: number;
  readonly batch: number;
}

async function compare(one: Case): Promise<void> {
  const { steps, size, batch } = one;
  const rows = ENTRY_BYTES / (size * 2);
  const folder = await write(rows, size);
  using entry = await openEntry(folder);
  const memory = new Float32Array(rows * size);
  entry.readZ(0, rows, memory);
  const random = seeded(1);
  const batches = Array.from({ length: 64 }, () =>
    Array.from({ length: batch }, () => Math.floor(random.next() * (rows - steps))),
  );
  const windows = batches.map((starts) => starts.map((start) => windowAt(folder, start, steps, size)));
  const values = batch * steps * size;
  const plain = [new Float32Array(values), new Float32Array(values)];

  await using single = await openWindowReader({ threads: 1 });
  await using two = await openWindowReader({ threads: 2 });
  await using none = await openWindowReader({ threads: 1, bytes: 0 });
  const contestants: Record<string, () => Promise<Cost>> = {
    "copy in memory, one thread": () => repeat((i) => copy(memory, batches[i % 64]!, one, plain[i % 2]!)),
    "Entry.readZ, one thread": () => repeat((i) => readZ(entry, batches[i % 64]!, steps, plain[i % 2]!)),
    ...Object.fromEntries(
      Object.entries({
        "reader, 1 thread, rows kept, its own memory": [single, own(single, values)],
        "reader, 2 threads, rows kept, its own memory": [two, own(two, values)],
        "reader, 1 thread, rows kept, any memory": [single, plain],
        "reader, 1 thread, none kept, its own memory": [none, own(none, values)],
      } as Record<string, [WindowReader, Float32Array[]]>).map(([name, [reader, into]]) => [
        name,
        () => pipelined((i) => reader.read(windows[i % 64]!, into[i % 2]!)),
      ]),
    ),
  };
  const best = new Map<string, Cost>();
  for (let turn = 0; turn < TURNS; turn++)
    for (const [name, run] of Object.entries(contestants)) {
      const now = await run();
      const before = best.get(name) ?? now;
      best.set(name, { wall: Math.min(before.wall, now.wall), cpu: Math.min(before.cpu, now.cpu) });
    }

  const bare = best.get("copy in memory, one thread")!;
  console.log(
    `\n| ${steps} × ${size} float16, ${availableParallelism()} cores | windows/s | GB/s of float32 | / copy | CPU µs a window | copy's / this |`,
  );
  console.log("|---|---|---|---|---|---|");
  for (const [name, { wall, cpu }] of best) {
    const rate = batch / wall;
    const gigabytes = (rate * steps * size * 4) / 1e9;
    const times = `${(bare.wall / wall).toFixed(2)} | ${((cpu / batch) * 1e6).toFixed(1)} | ${(bare.cpu / cpu).toFixed(2)}`;
    console.log(`| ${name} | ${rate.toFixed(0)} | ${gigabytes.toFixed(2)} | ${times} |`);
  }
}

/** Seconds a call: on the clock, and of all threads' processor time. */
interface Cost {
  readonly wall: number;
  readonly cpu: number;
}

function windowAt(folder: string, start: number, steps: number, size: number): WindowPlace {
  return { folder, rows: Int32Array.from({ length: steps }, (_, i) => start + i), shape: [size] };
}

function own(reader: WindowReader, values: number): Float32Array[] {
  return [reader.allocate(values), reader.allocate(values)];
}

function copy(memory: Float32Array, starts: readonly number[], { steps, size }: Case, into: Float32Array): void {
  const window = steps * size;
  for (const [i, start] of starts.entries()) into.set(memory.subarray(start * size, start * size + window), i * window);
}

function readZ(entry: Entry, starts: readonly number[], steps: number, into: Float32Array): void {
  for (const [i, start] of starts.entries()) entry.readZ(start, steps, into, i * steps * entry.size);
}

async function repeat(work: (i: number) => void): Promise<Cost> {
  return costOf(async (goesOn) => {
    let calls = 0;
    while (goesOn()) work(calls++);
    return calls;
  });
}

/** The next begins before the last has ended. */
async function pipelined(work: (i: number) => Promise<void>): Promise<Cost> {
  return costOf(async (goesOn) => {
    let calls = 0;
    let before = work(calls++);
    while (goesOn()) {
      const next = work(calls++);
      await before;
      before = next;
    }
    await before;
    return calls;
  });
}

async function costOf(work: (goesOn: () => boolean) => Promise<number>): Promise<Cost> {
  const [from, before] = [performance.now(), process.cpuUsage()];
  const calls = await work(() => performance.now() - from < SECONDS * 1000);
  const { user, system } = process.cpuUsage(before);
  return { wall: (performance.now() - from) / 1000 / calls, cpu: (user + system) / 1e6 / calls };
}

async function write(rows: number, size: number): Promise<string> {
  const source = { name: "clip", bytes: 1, digest: digestOf(size) };
  await using writer = await LatentWriter.open({
    output: root,
    source,
    key: digestOf("key"),
    keyParts: null,
    facts: {},
    dtype: "float16",
  });
  const z = Float32Array.from({ length: size }, (_, k) => Math.sin(k));
  const row = { status: "ok", track: 0, shot: 0, box: null, score: 0, landmarks: null, q: null } as const;
  for (let i = 0; i < rows; i++) {
    z[i % size] = Math.sin(i);
    await writer.append({ kind: "latent", index: i, pts: i * 40_000, ...row, z, shape: [size] });
  }
  return (await writer.publish({ verdict: "complete", counts: new Ledger().counts })).path;
}
