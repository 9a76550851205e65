import { execFileSync } from "node:child_process";
import { copyFile, mkdir, open, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { openEntry } from "../../src/cache/entry.ts";
import { type Verified, verifyFolder } from "../../src/cache/verify.ts";
import { canonical, digestOf, type Json } from "../../src/digest.ts";
import { folder, latents, write } from "./helpers.ts";

const FEW = (1 << 18) + 300;

async function verified(root: string): Promise<Verified[]> {
  const all: Verified[] = [];
  for await (const one of verifyFolder(root)) all.push(one);
  return all;
}

async function flip(path: string, at: number): Promise<void> {
  await using file = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0]! ^= 0x10;
  await file.write(byte, 0, 1, at);
}

async function swap(a: string, b: string): Promise<void> {
  await rename(a, `${a}.swap`);
  await rename(b, a);
  await rename(`${a}.swap`, b);
}

/** Rewrites members of a marker; `seal` makes its own digest fit again, as only a deliberate hand would. */
async function edit(path: string, change: (marker: Record<string, Json>) => unknown, seal: boolean): Promise<void> {
  const { sha256, ...marker } = JSON.parse(await readFile(path, "utf8"));
  change(marker);
  await writeFile(path, canonical({ ...marker, sha256: seal ? digestOf(marker) : sha256 }));
}

/** Each breaks entry `a`, whose neighbour in the same output is `b`, and says what is to be found in `a`. */
const corruptions: [name: string, damage: (a: string, b: string) => Promise<unknown>, found: RegExp][] = [
  [
    "a truncated shard",
    (a) => truncate(join(a, "z-00001.arrow"), 100),
    /^z-00001.arrow is truncated: 100 bytes instead of/,
  ],
  ["an empty shard", (a) => truncate(join(a, "z-00001.arrow"), 0), /^z-00001.arrow is truncated: 0 bytes/],
  ["truncated rows", (a) => truncate(join(a, "rows.arrow"), 2_000), /^rows.arrow is truncated: 2000 bytes instead of/],
  ["bytes appended", (a) => writeFile(join(a, "rows.arrow"), "!", { flag: "a" }), /^rows.arrow has grown: /],
  [
    "a flipped bit in the latents",
    (a) => flip(join(a, "z-00000.arrow"), 200),
    /^z-00000.arrow was changed: its sha256 is /,
  ],
  ["a flipped bit in a head", (a) => flip(join(a, "rows.arrow"), 13), /^rows.arrow was changed: its sha256 is /],
  ["a flipped bit in the footer", (a) => flip(join(a, "z-00000.arrow"), 700), /^z-00000.arrow was changed/],
  [
    "shards swapped in the entry",
    (a) => swap(join(a, "z-00000.arrow"), join(a, "z-00001.arrow")),
    /^z-00000.arrow holds the bytes of z-00001.arrow$/,
  ],
  [
    "shards swapped between entries",
    (a, b) => swap(join(a, "z-00000.arrow"), join(b, "z-00000.arrow")),
    /^z-00000.arrow holds the bytes of [0-9a-f]{16}\/[0-9a-f]{16}\/z-00000.arrow$/,
  ],
  ["a missing shard", (a) => rm(join(a, "z-00001.arrow")), /^z-00001.arrow is missing$/],
  [
    "a folder for a shard",
    (a) => rm(join(a, "rows.arrow")).then(() => mkdir(join(a, "rows.arrow"))),
    /^rows.arrow is not a file$/,
  ],
  [
    "a missing marker",
    (a) => rm(join(a, "marker.json")),
    /^marker.json is missing: the entry was never finished, or lost it$/,
  ],
  ["a marker that is not JSON", (a) => truncate(join(a, "marker.json"), 99), /^marker.json is not JSON$/],
  ["an empty marker", (a) => truncate(join(a, "marker.json"), 0), /^marker.json is not JSON$/],
  ["a marker that is null", (a) => writeFile(join(a, "marker.json"), "null"), /^marker.json is not a marker$/],
  [
    "an edited marker",
    (a) => edit(join(a, "marker.json"), (marker) => Object.assign(marker, { verdict: "truncated" }), false),
    /^marker.json was changed after it was written$/,
  ],
  [
    "a marker with a member missing",
    (a) => edit(join(a, "marker.json"), (marker) => void delete marker.verdict, true),
    /^marker.json lacks what a marker says: .*verdict/s,
  ],
  [
    "a marker of a later format",
    (a) => edit(join(a, "marker.json"), (marker) => Object.assign(marker, { format: 2 }), true),
    /^marker.json has format 2, newer than this affect-pipe reads \(1\)$/,
  ],
  [
    "the neighbour's marker",
    (a, b) => copyFile(join(b, "marker.json"), join(a, "marker.json")),
    /^the entry of \w+\/\w+ lies in \w+\/\w+$/,
  ],
  [
    "an extra file",
    (a) => writeFile(join(a, "z-00002.arrow.bak"), ""),
    /^z-00002.arrow.bak does not belong to the entry$/,
  ],
];

test.each(corruptions)("%s is named, and no reader begins", async (_name, damage, found) => {
  await using output = await folder();
  const a = await write(output.path, latents(14), { shardBytes: FEW });
  const b = await write(output.path, latents(16).slice(2), { key: digestOf("key two"), shardBytes: FEW });
  expect((await verified(output.path)).map(({ ok }) => ok)).toEqual([true, true]);

  await damage(a.path, b.path);

  const broken = (await verified(output.path)).find(({ entry }) => entry.endsWith(basename(a.path)))!;
  expect(broken.ok).toBe(false);
  expect(broken.problems).toContainEqual(expect.stringMatching(found));
  // Given alone the entry is found broken too; its neighbours' names are not known then.
  expect((await verified(a.path)).map(({ entry, ok }) => [entry, ok])).toEqual([[".", false]]);
  await expect(openEntry(a.path)).rejects.toThrow(/is not an intact cache entry: /);
});

test("a whole entry in another's place is told", async () => {
  await using output = await folder();
  const a = await write(output.path, latents(5));
  const place = join(dirname(a.path), "0123456789abcdef");
  await rename(a.path, place);
  const [one] = await verified(output.path);
  expect(one!.problems).toEqual([expect.stringMatching(/^the entry of .* lies in .*\/0123456789abcdef$/)]);
});

test("what systems leave in folders by themselves spoils no entry", async () => {
  await using output = await folder();
  const { path } = await write(output.path, latents(3));
  for (const place of [path, dirname(path), output.path])
    for (const name of [".DS_Store", "._rows.arrow", "Thumbs.db", "desktop.ini"])
      await writeFile(join(place, name), "x");
  expect((await verified(output.path)).filter(({ ok }) => !ok)).toEqual([]);
  using entry = await openEntry(path);
  expect(entry.length).toBe(2);
});

test.skipIf(process.platform === "win32")(
  "a pipe for a marker is named, and a shard that is a link is not read",
  async () => {
    await using output = await folder();
    const { path } = await write(output.path, latents(3));
    const shard = join(path, "z-00000.arrow");
    await rename(shard, join(output.path, "elsewhere"));
    await symlink(join(output.path, "elsewhere"), shard);
    await expect(openEntry(path)).rejects.toThrow("z-00000.arrow is a symbolic link");
    await rm(join(path, "marker.json"));
    execFileSync("mkfifo", [join(path, "marker.json")]);
    await expect(openEntry(path)).rejects.toThrow("marker.json cannot be read");
  },
);

test("what does not belong to a cache is named; reports and notebooks do", async () => {
  await using output = await folder();
  const { path } = await write(output.path, latents(5));
  await writeFile(join(output.path, "report.json"), "{}");
  expect(await verified(output.path)).toEqual([
    { entry: `${basename(dirname(path))}/${basename(path)}`, name: "clip one.mp4", ok: true, problems: [] },
  ]);
  await writeFile(join(output.path, "holiday.mp4"), "");
  await mkdir(join(dirname(path), "old"));
  expect((await verified(output.path)).at(-1)).toEqual({
    entry: ".",
    ok: false,
    problems: expect.arrayContaining([
      "holiday.mp4 does not belong to a cache",
      `${basename(dirname(path))}/old does not belong to a cache`,
    ]),
  });
});

test("a source's folder and an entry can be verified alone; no folder is an error", async () => {
  await using output = await folder();
  const { path } = await write(output.path, latents(5));
  expect(await verified(dirname(path))).toEqual([
    { entry: basename(path), name: "clip one.mp4", ok: true, problems: [] },
  ]);
  expect(await verified(path)).toEqual([{ entry: ".", name: "clip one.mp4", ok: true, problems: [] }]);
  await expect(verified(join(output.path, "none"))).rejects.toThrow("There is no folder");
});

test("a shard that is written to while its entry is open is not read", async () => {
  await using output = await folder();
  const { path } = await write(output.path, latents(5));
  using entry = await openEntry(path);
  await flip(join(path, "z-00000.arrow"), 200);
  // Not only the first time.
  for (let again = 0; again < 2; again++)
    expect(() => entry.readZ(0, 1, new Float32Array(30))).toThrow("was written to after it was verified");
});
