import { appendFile, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { checkEntry } from "../../src/cache/check.ts";
import { DigestMemo } from "../../src/cache/digest-memo.ts";
import { fingerprint } from "../../src/cache/fingerprint.ts";
import { Memo } from "../../src/cache/memo.ts";
import { digestFile, digestOf } from "../../src/digest.ts";
import { folder, latents, write } from "./helpers.ts";

/** Replaces every sha256 in a notebook by a false one: who then gives that has not read the file. */
async function poison(path: string): Promise<string> {
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replaceAll(/"[0-9a-f]{64}"/g, `"${"f".repeat(64)}"`));
  return "f".repeat(64);
}

test("a digest is taken once; a touch or an edit takes it again", async () => {
  await using output = await folder();
  const file = join(output.path, "clip.mp4");
  const notebook = join(output.path, ".digests.jsonl");
  await writeFile(file, "bytes of a clip");
  const right = await digestFile(file);
  expect(await new DigestMemo(output.path).digest(file)).toBe(right);
  // A file changed just now is not trusted to stay: a second write could fall into the same tick of the clock.
  await expect(stat(notebook)).rejects.toThrow("ENOENT");

  await sleep(2_100);
  expect(await new DigestMemo(output.path).digest(file)).toBe(right);
  const false_ = await poison(notebook);
  expect(await new DigestMemo(output.path).digest(file)).toBe(false_);

  await utimes(file, 1, 1);
  expect(await new DigestMemo(output.path).digest(file)).toBe(right);
  await writeFile(file, "other bytes, 15");
  expect(await new DigestMemo(output.path).digest(file)).toBe(await digestFile(file));
  await rename(file, `${file}2`);
  await expect(new DigestMemo(output.path).digest(file)).rejects.toThrow("ENOENT");
});

test("an aborted digest is not noted", async () => {
  await using output = await folder();
  const file = join(output.path, "clip.mp4");
  await writeFile(file, "bytes");
  await expect(new DigestMemo(output.path).digest(file, AbortSignal.abort())).rejects.toThrow(/abort/i);
});

test("a warm check reads no shard; one that was written to is read again", async () => {
  await using output = await folder();
  const { path } = await write(output.path, latents(9));
  const z = join(path, "z-00000.arrow");
  const before = fingerprint(await stat(z, { bigint: true }));
  expect((await checkEntry(path, { trust: true })).problems).toEqual([]);
  // The write and the check above left one note between them, for the fingerprints of now.
  const notes = (await readFile(join(output.path, ".verified.jsonl"), "utf8")).split("\n").filter(Boolean);
  expect(notes.map((note) => (JSON.parse(note) as string[])[1])).toEqual([expect.stringContaining(before)]);
  await utimes(z, 1, 1);
  expect((await checkEntry(path, { trust: true })).problems).toEqual([]);
  await writeFile(z, (await readFile(z)).fill(7, 200, 201));
  await utimes(z, 1, 1);
  expect((await checkEntry(path, { trust: true })).problems).toEqual([
    expect.stringContaining("z-00000.arrow was changed"),
  ]);
  expect((await checkEntry(path, { trust: false })).problems).toHaveLength(1);
});

test("notes survive a torn line, other writers and a lost file", async () => {
  await using output = await folder();
  const path = join(output.path, "notes.jsonl");
  await new Memo(path).set("a", "1", "x");
  await appendFile(path, '\n["b","1","to');
  const other = new Memo(path);
  await other.set("c", "1", "z");
  await new Memo(path).set("a", "2", "y");
  const fresh = new Memo(path);
  expect(
    await Promise.all([fresh.get("a", "2"), fresh.get("a", "1"), fresh.get("b", "1"), fresh.get("c", "1")]),
  ).toEqual(["y", undefined, undefined, "z"]);
  await rm(path);
  expect(await new Memo(path).get("c", "1")).toBeUndefined();
  expect(await other.get("c", "1")).toBe("z");
});

test("a notebook of outdated notes is written anew, short", async () => {
  await using output = await folder();
  const path = join(output.path, "notes.jsonl");
  const memo = new Memo(path);
  for (let i = 0; i < 150; i++) await memo.set("a", String(i), digestOf(i));
  expect(await new Memo(path).get("a", "149")).toBe(digestOf(149));
  expect((await readFile(path, "utf8")).split("\n").filter(Boolean)).toHaveLength(1);
});

test("a notebook that cannot be written costs nothing but time", async () => {
  await using output = await folder();
  await writeFile(join(output.path, "file"), "");
  const memo = new Memo(join(output.path, "file", "notes.jsonl"));
  await memo.set("a", "1", "x");
  expect(await memo.get("a", "1")).toBe("x");
});
