import { execFileSync, spawn } from "node:child_process";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { leftovers } from "../../src/cache/temp.ts";
import { verifyFolder } from "../../src/cache/verify.ts";
import { LatentWriter } from "../../src/cache/writer.ts";
import { PipeError } from "../../src/errors.ts";
import { seeded } from "../../src/random.ts";
import { folder, latents, options, readAll, tree, write } from "./helpers.ts";

const CHILD = fileURLToPath(new URL("./write-child.ts", import.meta.url));

/** Runs the writing process; `during` is called once it has begun to write. */
function child(output: string, dtype: string, more: { pause?: number; limit?: string; during?: () => void } = {}) {
  const words = ["--import", "tsx", CHILD, output, dtype, String(more.pause ?? 0)];
  const shell = ["-c", `${more.limit ?? "true"}; exec "$0" "$@"`, process.execPath, ...words];
  const running = spawn("bash", shell, { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  running.stdout.on("data", (chunk: Buffer) => {
    if (said === "") more.during?.();
    said += String(chunk);
  });
  const done = new Promise<{ said: string; code: number | null }>((resolve) =>
    running.on("close", (code) => resolve({ said, code })),
  );
  return { done, kill: () => running.kill("SIGKILL") };
}

async function problems(root: string): Promise<string[]> {
  const found: string[] = [];
  for await (const one of verifyFolder(root)) found.push(...one.problems);
  return found;
}

test("kill -9 at twenty moments: never a half, and the same bytes in the end", async () => {
  await using whole = await folder();
  await using output = await folder();
  expect((await child(whole.path, "uint8").done).said).toContain("published");
  const expected = await tree(whole.path);

  const random = seeded("moments");
  let killed = 0;
  for (let i = 0; i < 20; i++) {
    const running = child(output.path, "uint8", {
      pause: 2,
      during: () => void sleep(random.next() * 220).then(running.kill),
    });
    const { said } = await running.done;
    const left = await leftovers(output.path);
    if (said.includes("published")) expect(left).toEqual([]);
    else killed += 1;
    // Only the last one's folder: each writer sweeps what those before it left.
    expect(left.length).toBeLessThanOrEqual(1);
    for (const { owner } of left) expect(owner).toBe("dead");
    const entries = (await tree(output.path)) as Record<string, string>;
    const published = Object.entries(entries).filter(([path]) => !path.startsWith(".tmp"));
    expect([0, Object.keys(expected).length]).toContain(published.length);
    for (const [path, digest] of published) expect(digest).toBe(expected[path]);
    if (published.length > 0)
      for (const name of await readdir(output.path))
        if (name !== ".tmp") await rm(join(output.path, name), { recursive: true });
  }
  expect(killed).toBeGreaterThan(8);
  expect((await child(output.path, "uint8").done).said).toContain("published");
  expect(await tree(output.path)).toEqual(expected);
  expect(await readdir(output.path)).not.toContain(".tmp");
}, 180_000);

test("two processes at once both succeed, and one intact entry is left", async () => {
  await using output = await folder();
  const both = [child(output.path, "float16", { pause: 3 }), child(output.path, "float16", { pause: 3 })];
  for (const { said, code } of await Promise.all(both.map(({ done }) => done)))
    expect([said, code]).toEqual(["open\npublished\n", 0]);
  expect(await problems(output.path)).toEqual([]);
  expect(await readdir(output.path)).not.toContain(".tmp");
});

test("many writers of one entry in one process", async () => {
  await using output = await folder();
  await using alone = await folder();
  const paths = await Promise.all(Array.from({ length: 6 }, () => write(output.path, latents(30))));
  expect(new Set(paths.map(({ path }) => path)).size).toBe(1);
  await write(alone.path, latents(30));
  expect(await tree(output.path)).toEqual(await tree(alone.path));
});

test("a broken entry in the place is replaced", async () => {
  await using output = await folder();
  const { path } = await write(output.path, latents(9));
  const expected = await tree(output.path);
  for (const broken of ["rows.arrow", "z-00000.arrow", "marker.json"]) {
    await writeFile(join(path, broken), "not what was published");
    await expect(readAll(path)).rejects.toThrow(PipeError);
    await write(output.path, latents(9));
    expect(await tree(output.path)).toEqual(expected);
  }
  await rm(path, { recursive: true });
  await writeFile(path, "a file in the place of the folder");
  await write(output.path, latents(9));
  expect(await tree(output.path)).toEqual(expected);
});

test.each(["float16", "uint8"])(
  "%s: a file beyond the size limit fails by path and cause and leaves nothing",
  async (dtype) => {
    await using output = await folder();
    const { said, code } = await child(output.path, dtype, { limit: "ulimit -f 30" }).done;
    expect(said).toMatch(/PipeError: Cannot write .*\.tmp.*: the file grew past the size limit .*\(EFBIG\)/);
    expect(code).toBe(2);
    expect(await readdir(output.path)).toEqual([]);
  },
);

/** Mounts a small tmpfs, which only root may; false where that is not possible. */
function mounted(path: string, flags: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", flags, "tmpfs", path], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test("a full disk and a read-only one fail by path and cause and leave nothing", async ({ skip }) => {
  await using output = await folder();
  if (!mounted(output.path, "size=128k")) skip("no right to mount a small tmpfs");
  try {
    const big = latents(60, [3, 32, 32]);
    for (const dtype of ["float16", "float32", "uint8"] as const)
      await expect(write(output.path, big, { dtype })).rejects.toThrow(/Cannot write .*: the disk is full \(ENOSPC\)/);
    expect(await readdir(output.path)).toEqual([]);
    execFileSync("mount", ["-o", "remount,ro", output.path]);
    await expect(write(output.path, latents(3))).rejects.toThrow(/Cannot write .*: the file system is read-only/);
    expect(await readdir(output.path)).toEqual([]);
  } finally {
    execFileSync("umount", [output.path]);
  }
});

test("an output below a plain file is told as such", async () => {
  await using output = await folder();
  await writeFile(join(output.path, "file"), "");
  await expect(write(join(output.path, "file", "cache"), latents(3))).rejects.toThrow(
    /Cannot write .*file\/cache.*: a part of the path is a file/,
  );
});

test("work of live writers and of other machines stays, work of the dead goes", async () => {
  await using output = await folder();
  await using live = await LatentWriter.open(options(output.path));
  await live.append(latents(1)[0]!);
  const [mine] = await readdir(join(output.path, ".tmp"));
  const [pid, start, host, random] = mine!.split("-");
  // The same pid with another start time is a later process that got the number again.
  const dead = [`4194999-${start}-${host}-aa`, `${pid}-${Number(start) + 1}-${host}-bb`];
  const foreign = [`${pid}-${start}-00000000-${random}`, "notes"];
  for (const name of [...dead, ...foreign]) await mkdir(join(output.path, ".tmp", name));
  expect(await problems(output.path)).toEqual(
    expect.arrayContaining([
      ...dead.map((name) => `.tmp/${name} was left by a run that crashed; the next run removes it`),
      ...foreign.map(
        (name) => `.tmp/${name} is the unfinished work of another machine; remove it if no run is active there`,
      ),
    ]),
  );
  await write(output.path, latents(3));
  expect((await readdir(join(output.path, ".tmp"))).sort()).toEqual([...foreign, mine].sort());
});
