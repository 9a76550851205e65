import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { openEntry } from "../../src/cache/entry.ts";
import type { Row } from "../../src/cache/rows-schema.ts";
import { LatentWriter, type WriterOptions } from "../../src/cache/writer.ts";
import { digestOf } from "../../src/digest.ts";
import { Ledger } from "../../src/ledger.ts";
import type { Artifact, Latent } from "../../src/records.ts";

export const SHAPE = [3, 2, 5];
export const SIZE = 30;

/** A folder that is gone when the block ends. */
export async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "affect-pipe-cache-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Latents with every kind of row: with and without a face, landmarks, quadrants, two subjects in a frame. */
export function latents(count: number, shape: readonly number[] = SHAPE): Latent[] {
  const size = shape.reduce((a, b) => a * b, 1);
  return Array.from({ length: count }, (_, i): Latent => {
    const subject = { kind: "latent" as const, index: Math.floor(i / 2), pts: Math.floor(i / 2) * 33_367, shape };
    if (i % 4 === 2)
      return {
        ...subject,
        status: "no_face",
        track: -1,
        shot: 0,
        box: null,
        score: 0,
        landmarks: null,
        z: null,
        q: null,
      };
    return {
      ...subject,
      status: "ok",
      track: i % 2,
      shot: i > 9 ? 1 : 0,
      box: { x: -1.25 + i / 3, y: i / 7, width: 20.1, height: 30 },
      score: 0.9 - i / 1e4,
      landmarks: i % 3 === 0 ? null : Float32Array.from({ length: 4 + (i % 2) * 2 }, (_, k) => i + k / 10),
      z: Float32Array.from({ length: size }, (_, k) => Math.sin(i * 31 + k) * (1 + (k % 3))),
      q: i % 5 === 0 ? null : Float32Array.of(0.1, 0.2, 0.3, 0.4),
    };
  });
}

export function options(output: string, more: Partial<WriterOptions> = {}): WriterOptions {
  return {
    output,
    source: { name: "clip one.mp4", bytes: 12_345, digest: digestOf("clip one") },
    key: digestOf("key one"),
    keyParts: { source: digestOf("clip one"), steps: [{ stage: "encode-latents", options: { seed: 1 } }] },
    facts: { weights: "untrained (seed 1)" },
    ...more,
  };
}

export async function write(
  output: string,
  records: readonly Latent[],
  more: Partial<WriterOptions> = {},
): Promise<Artifact> {
  await using writer = await LatentWriter.open(options(output, more));
  for (const record of records) await writer.append(record);
  return await writer.publish({ verdict: "complete", counts: new Ledger().counts });
}

/** Everything in an entry: its rows, and each row's latent or null. */
export async function readAll(path: string): Promise<{ rows: Row[]; z: (Float32Array | null)[] }> {
  using entry = await openEntry(path);
  const rows: Row[] = [];
  for await (const row of entry.rows()) rows.push(row);
  const z = rows.map((row) => {
    if (row.z === null) return null;
    const one = new Float32Array(entry.size);
    entry.readZ(row.z, 1, one);
    return one;
  });
  return { rows, z };
}

/** Path → sha256 of every file below a folder; notebooks of what was verified aside, since they hold inodes. */
export async function tree(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const item of await readdir(root, { withFileTypes: true, recursive: true })) {
    if (!item.isFile() || item.name.endsWith(".jsonl")) continue;
    const path = join(item.parentPath, item.name);
    found[relative(root, path)] = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Open files of this process below a folder (Linux). */
export async function openFiles(root: string): Promise<string[]> {
  const { readlink } = await import("node:fs/promises");
  const links = await readdir("/proc/self/fd");
  const targets = await Promise.all(links.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
  return targets.filter((target) => target.startsWith(root));
}
