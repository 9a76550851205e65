import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
    expect(found).toEqual(["%03d.mp4", "[1].mp4", "a.MKV", "b.mp4", "new\nline.webm", "sub/-d.avi", "sub/deep/c.mov"]);
    expect(Object.keys(refused).sort()).toEqual(["dangling.mp4", "fifo.mp4", "leads-out.mp4"]);
    expect(refused["leads-out.mp4"]).toMatch(/symbolic link that leads out/);
    expect(refused["fifo.mp4"]).toMatch(/named pipe/);
  });

  it("gives the same twice, and with the patterns doubled", async () => {
    const once = await all(join(folder, "in"));
    expect(await all(join(folder, "in"))).toEqual(once);
    expect(await all(join(folder, "in"), join(folder, "in/b.mp4"))).toEqual(once);
  });

  it("gives path and bytes of a named file, whatever its name", async () => {
    for (const name of ["[1].mp4", "%03d.mp4", "new\nline.webm", "notes.txt"]) {
      const path = join(folder, "in", name);
      for await (const one of expandInputs([path])) expect(one).toEqual({ path, name, bytes: `in/${name}`.length });
    }
  });

  it("reads a glob where no such file exists", async () => {
    expect((await all(`${folder}/in/*.{mp4,MKV}`)).found).toEqual(["%03d.mp4", "[1].mp4", "a.MKV", "b.mp4"]);
    expect((await all(`${folder}/in/**/*.mov`)).found).toEqual(["sub/deep/c.mov"]);
    expect((await all(`${folder}/in/lead*.mp4`)).refused["leads-out.mp4"]).toMatch(/leads out/);
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
