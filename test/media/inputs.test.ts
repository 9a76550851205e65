import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PipeError } from "../../src/errors.ts";
import { expandInputs } from "../../src/media/inputs.ts";

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "inputs-")));
  for (const name of ["in/sub/deep", "in/folder.mp4", "outside"]) mkdirSync(join(folder, name), { recursive: true });
  for (const name of [
    "in/b.mp4",
    "in/a.MKV",
    "in/notes.txt",
    "in/[1].mp4",
    "in/%03d.mp4",
    "in/new\nline.webm",
    "in/sub/deep/c.mov",
    "in/sub/-d.avi",
    "outside/secret.mp4",
  ])
    writeFileSync(join(folder, name), name);
  symlinkSync(join(folder, "outside/secret.mp4"), join(folder, "in/leads-out.mp4"));
  symlinkSync(join(folder, "in/b.mp4"), join(folder, "in/sub/same-as-b.mp4"));
  symlinkSync(join(folder, "nowhere.mp4"), join(folder, "in/dangling.mp4"));
  execFileSync("mkfifo", [join(folder, "in/fifo.mp4")]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function all(...patterns: string[]) {
  const [found, refused]: [string[], Record<string, string>] = [[], {}];
  for await (const one of expandInputs(patterns))
    if ("refused" in one) refused[one.name] = one.refused;
    else found.push(one.name);
  return { found, refused };
}

describe("expandInputs", () => {
  it("searches a folder: videos by their endings, sorted, each once; what may not be read is said", async () => {
    const { found, refused } = await all(join(folder, "in"));
    expect(found).toEqual([
      ...["%03d.mp4", "[1].mp4", "a.MKV", "b.mp4", "leads-out.mp4", "new\nline.webm", "sub/-d.avi", "sub/deep/c.mov"],
    ]);
    expect(Object.keys(refused).sort()).toEqual(["dangling.mp4", "fifo.mp4"]);
    expect(refused["dangling.mp4"]).toMatch(/symbolic link to a file that is not there/);
    expect(refused["fifo.mp4"]).toMatch(/named pipe/);
  });

  it("gives the same twice, and with the patterns doubled", async () => {
    const once = await all(join(folder, "in"));
    expect(await all(join(folder, "in"))).toEqual(once);
    expect(await all(join(folder, "in"), join(folder, "in/b.mp4"))).toEqual(once);
    expect(await all(join(folder, "in"), join(folder, "outside"))).toEqual(once);
  });

  it("gives path and bytes of a named file, whatever its name", async () => {
    for (const name of ["[1].mp4", "%03d.mp4", "new\nline.webm", "notes.txt"]) {
      const path = join(folder, "in", name);
      for await (const one of expandInputs([path])) expect(one).toEqual({ path, name, bytes: `in/${name}`.length });
    }
  });

  it("reads a glob where no such file exists", async () => {
    expect((await all(`${folder}/in/*.{mp4,MKV}`)).found).toEqual([
      ...["%03d.mp4", "[1].mp4", "a.MKV", "b.mp4", "leads-out.mp4"],
    ]);
    expect((await all(`${folder}/in/**/*.mov`)).found).toEqual(["sub/deep/c.mov"]);
    expect((await all(`${folder}/in/lead*.mp4`)).found).toEqual(["leads-out.mp4"]);
    expect((await all(`${folder}/in/**/lead*.mp4`)).found).toEqual(["leads-out.mp4"]);
    expect((await all(`${folder}/in/**/dang*.mp4`)).refused["dangling.mp4"]).toMatch(/not there/);
  });

  it("refuses a pattern that names nothing, and stops on abort", async () => {
    await expect(all(join(folder, "absent.mp4"))).rejects.toThrow(PipeError);
    await expect(all(`${folder}/in/*.nothing`)).rejects.toThrow(/matches no file/);
    const stopped = async () => {
      for await (const _ of expandInputs([folder], { signal: AbortSignal.abort(new RangeError("stop")) }));
    };
    await expect(stopped()).rejects.toThrow("stop");
  });
});

describe("hidden files and trash", () => {
  const HIDDEN = [".clip.mp4", "._clip.mp4", ".Trash-1000/files/t.mp4", ".git/annex/objects/o.mp4", ".svn/s.mp4"];
  const TRASH = ["$RECYCLE.BIN/r.mp4", "@eaDir/e.mp4", "lost+found/l.mp4", "sub/node_modules/n.mp4"];
  const home = (name: string) => join(folder, "home", name);
  beforeAll(() => {
    for (const name of [...HIDDEN, ...TRASH, "clip.mp4", "sub/deep.mp4"]) {
      mkdirSync(dirname(home(name)), { recursive: true });
      writeFileSync(home(name), name);
    }
  });

  it("are no inputs of a folder or a glob", async () => {
    const seen = { found: ["clip.mp4", "sub/deep.mp4"], refused: {} };
    expect(await all(home(""))).toEqual(seen);
    expect(await all(home("**/*.mp4"))).toEqual(seen);
    expect((await all(home("*/*.mp4"))).found).toEqual(["sub/deep.mp4"]);
  });

  it("are inputs where they are named", async () => {
    expect((await all(home("._clip.mp4"))).found).toEqual(["._clip.mp4"]);
    expect((await all(home(".Trash-1000"))).found).toEqual(["files/t.mp4"]);
    expect((await all(home("@eaDir"), home("*/node_modules/*.mp4"))).found).toEqual([
      "e.mp4",
      "sub/node_modules/n.mp4",
    ]);
    expect((await all(home(".Tr*/**/*.mp4"))).found).toEqual([".Trash-1000/files/t.mp4"]);
  });
});

describe("links", () => {
  const at = (name: string) => join(folder, "links", name);
  beforeAll(() => {
    for (const name of ["hub/blobs/1a", "hub/blobs/2b", "far/x.mp4", "farm/own.mp4"]) {
      mkdirSync(dirname(at(name)), { recursive: true });
      writeFileSync(at(name), name);
    }
    for (const name of ["hub/snapshots/v1", "hub/snapshots/v2"]) mkdirSync(at(name), { recursive: true });
    symlinkSync("../../blobs/1a", at("hub/snapshots/v1/a.mp4"));
    symlinkSync("../../blobs/2b", at("hub/snapshots/v1/b.mp4"));
    symlinkSync("../../blobs/1a", at("hub/snapshots/v2/a.mp4"));
    symlinkSync(at("far"), at("farm/far"));
    symlinkSync(at("farm"), at("farm/round"));
    symlinkSync("own.mp4", at("farm/before-own.mp4"));
  });

  it("to files are entries of their folder, by their own names, also two of one file", async () => {
    const inputs: unknown[] = [];
    for await (const one of expandInputs([at("hub")])) inputs.push(one);
    expect(inputs).toEqual(
      ["snapshots/v1/a.mp4", "snapshots/v1/b.mp4", "snapshots/v2/a.mp4"].map((name) => ({
        path: at(`hub/${name}`),
        name,
        bytes: 12,
      })),
    );
    expect((await all(at("hub/snapshots/v1/*.mp4"))).found).toEqual(["a.mp4", "b.mp4"]);
    expect((await all(at("hub/**/*.mp4"))).found).toHaveLength(3);
  });

  it("to a file that is an input by itself are left out", async () => {
    expect((await all(at("farm"))).found).toEqual(["own.mp4"]);
    expect((await all(at("farm/before-own.mp4"), at("farm/own.mp4"))).found).toEqual(["before-own.mp4"]);
  });

  it("to folders are entered with follow, and a circle ends", async () => {
    const notes: string[] = [];
    const found = async (pattern: string, follow: boolean) => {
      const names: string[] = [];
      const note = (message: string) => notes.push(message);
      for await (const { name } of expandInputs([pattern], { follow, note })) names.push(name);
      return names;
    };
    expect(await found(at("farm"), false)).toEqual(["own.mp4"]);
    expect(notes).toEqual([`${at("farm")}: passed over: far, round: links to folders (--follow enters them).`]);
    expect(await found(at("farm"), true)).toEqual(["far/x.mp4", "own.mp4"]);
    expect(notes).toHaveLength(1);
    expect(await found(at("farm/**/x.mp4"), true)).toEqual(["far/x.mp4"]);
    await expect(found(at("farm/**/x.mp4"), false)).rejects.toThrow(/matches no file/);
  });
});

describe("what a folder holds beside videos", () => {
  const place = () => join(folder, "mixed");
  beforeAll(() => {
    mkdirSync(join(place(), "sub"), { recursive: true });
    for (const name of "a.qt b.asf c.DIVX d.h264 e.hevc f.dv g.ivf h.3g2 i.m2t j.y4m".split(" "))
      writeFileSync(join(place(), name), "");
    for (const name of ["n.txt", "m.txt", "sub/o.txt", "p.json", "README", "a.labels.csv", "q.gif", "sub/r.yuv"])
      writeFileSync(join(place(), name), "");
  });

  it("is counted by ending, and named where it looks like a video", async () => {
    const notes: string[] = [];
    const names: string[] = [];
    for await (const one of expandInputs([place()], { note: (message) => notes.push(message) })) names.push(one.name);
    expect(names.join(" ")).toBe("a.qt b.asf c.DIVX d.h264 e.hevc f.dv g.ivf h.3g2 i.m2t j.y4m");
    expect(notes).toEqual([
      `${place()}: passed over: 3 .txt, 1 .json, 1 without an ending; ` +
        "q.gif, sub/r.yuv: not read, though their endings are a video's.",
    ]);
  });

  it("gives no note where there is nothing else", async () => {
    const notes: string[] = [];
    for await (const _ of expandInputs([join(folder, "outside")], { note: (message) => notes.push(message) }));
    for await (const _ of expandInputs([join(place(), "a.qt")], { note: (message) => notes.push(message) }));
    expect(notes).toEqual([]);
  });
});
