import { symlink } from "node:fs/promises";
import { join, relative } from "node:path";
import { expect, it } from "vitest";
import { walk } from "../../src/datasets/walk.ts";
import { folder, put } from "./trees.ts";

it("gives every folder with its files, sorted, follows links, and comes out of a circle", async () => {
  await using at = await folder();
  await put(join(at.path, "tree/b/2.txt"), "");
  await put(join(at.path, "tree/b/1.txt"), "");
  await put(join(at.path, "tree/a/._1.txt"), "");
  await put(join(at.path, "tree/no/x.txt"), "");
  await put(join(at.path, "elsewhere/3.txt"), "");
  await symlink(join(at.path, "elsewhere"), join(at.path, "tree/c"));
  await symlink(join(at.path, "elsewhere/3.txt"), join(at.path, "tree/linked.txt"));
  await symlink(join(at.path, "gone"), join(at.path, "tree/dead"));
  await put(join(at.path, "tree/@eaDir/1.txt"), "");
  await put(join(at.path, "tree/.git/1.txt"), "");
  const found: [string, readonly string[], readonly string[]][] = [];
  for await (const { path, files, absent } of walk(join(at.path, "tree"), { enter: (name) => name !== "no" }))
    found.push([relative(at.path, path), files, absent]);
  expect(found).toEqual([
    ["tree", ["linked.txt"], ["dead"]],
    ["tree/a", [], []],
    ["tree/b", ["1.txt", "2.txt"], []],
    ["tree/c", ["3.txt"], []],
  ]);

  await symlink(join(at.path, "tree"), join(at.path, "tree/b/again"));
  const folders: string[] = [];
  for await (const { path } of walk(join(at.path, "tree"))) folders.push(relative(at.path, path));
  expect(folders).toEqual(["tree", "tree/a", "tree/b", "tree/no", "tree/c"]);
});
