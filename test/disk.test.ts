import { mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { diskError, makeFolder } from "../src/disk.ts";
import { PipeError } from "../src/errors.ts";

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "affect-pipe-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe("makeFolder", () => {
  it("makes all folders of a path, and bears that they are there", async () => {
    const folder = join(await scratch(), "a", "b", "c");
    await makeFolder(folder);
    await makeFolder(folder);
    expect((await stat(folder)).isDirectory()).toBe(true);
  });

  it.runIf(process.platform === "linux")("ends where a virtual file system makes no folders", async () => {
    for (const path of ["/proc/x", "/proc/x/y/z"])
      await expect(makeFolder(path)).rejects.toThrow(/ENOENT: .* '\/proc\/x'/);
  });

  it("rejects with the reason: a file in the way, a name too long, links in a circle", async () => {
    const folder = await scratch();
    await writeFile(join(folder, "file"), "");
    await symlink("loop", join(folder, "loop"));
    await expect(makeFolder(join(folder, "file"))).rejects.toThrow(/EEXIST/);
    await expect(makeFolder(join(folder, "file", "a", "b"))).rejects.toThrow(/ENOTDIR/);
    await expect(makeFolder(join(folder, "n".repeat(300), "b"))).rejects.toThrow(/ENAMETOOLONG/);
    await expect(makeFolder(join(folder, ...Array<string>(60).fill("n".repeat(100))))).rejects.toThrow(/ENAMETOOLONG/);
    await expect(makeFolder(join(folder, "loop", "b"))).rejects.toThrow(/ELOOP/);
    expect((await readdir(folder)).sort()).toEqual(["file", "loop"]);
  });
});

describe("diskError", () => {
  const refused = (code: string) =>
    Object.assign(new Error(`${code}: some words, rename '/a' -> '/b'`), { code, syscall: "rename" });

  it("gives path and cause of whatever the system refused, also where it knows no words for it", () => {
    const known = diskError(refused("EROFS"), "/a") as PipeError;
    expect([known.constructor, known.message]).toEqual([
      PipeError,
      "Cannot write /a: the file system is read-only (EROFS).",
    ]);
    const other = diskError(refused("EXDEV"), "/a") as PipeError;
    expect([other.constructor, other.message]).toEqual([PipeError, "Cannot write /a: some words (EXDEV)."]);
  });

  it("leaves every other error as it is", () => {
    const bug = Object.assign(new TypeError("x"), { code: "ERR_INVALID_ARG_TYPE" });
    expect(diskError(bug, "/a")).toBe(bug);
    expect(diskError("text", "/a")).toBe("text");
  });
});
