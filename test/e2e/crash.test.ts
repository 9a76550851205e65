import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { seeded } from "../../src/random.ts";
import { leftovers, pipe, published, reportOf, sample, scratch } from "./pipe.ts";

const run = (output: string, ...more: string[]) =>
  ["run", "extract-latents", "--preset", "small", "--progress", "none", "--output", output, ...more] as const;
/** With a line on stderr as soon as work begins: signals are handled from there on. */
const aloud = (output: string) => run(output, ...inputs).map((word) => (word === "none" ? "json" : word));
const inputs = ["--input", sample("one-face.mp4"), sample("cuts-and-gaps.mp4"), "--fps", "5"];

describe("after a crash the same command ends with the bytes of an uninterrupted run", () => {
  it("kill -9 at twenty moments", async () => {
    const whole = await scratch();
    const from = performance.now();
    expect((await pipe(run(whole, ...inputs))).code).toBe(0);
    const span = performance.now() - from;
    const expected = await published(whole);
    expect(Object.keys(expected).length).toBeGreaterThanOrEqual(6);

    const random = seeded("kill moments");
    const output = await scratch();
    let killed = 0;
    for (let i = 0; i < 20; i++) {
      // Half of the kills fall on a run that starts from nothing, half on one that goes on from a killed one.
      const target = i % 2 === 0 ? join(output, String(i)) : join(output, String(i - 1));
      const { signal } = await pipe(run(target, ...inputs), {
        during: (kill) => void sleep(random.next() * span).then(() => kill("SIGKILL")),
      });
      if (signal === "SIGKILL") killed += 1;
      for (const [file, digest] of Object.entries(await published(target).catch(() => ({}))))
        expect(expected[file]).toBe(digest);
      if (i % 2 === 0) continue;
      const again = await pipe(run(target, ...inputs));
      expect(again.code, again.stderr).toBe(0);
      expect(await published(target)).toEqual(expected);
      expect(await leftovers(target)).toEqual([]);
    }
    expect(killed).toBeGreaterThan(10);
  }, 300_000);

  it("two runs into one output at once both succeed and leave one intact result", async () => {
    const output = await scratch();
    const both = await Promise.all([pipe(run(output, ...inputs)), pipe(run(output, ...inputs))]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect((await pipe(["verify", output])).code).toBe(0);
    expect(await leftovers(output)).toEqual([]);
  }, 60_000);

  it("a first SIGINT finishes what is in flight, publishes it and exits 130; the next run takes it from the cache", async () => {
    const output = await scratch();
    const { code, stderr } = await pipe(aloud(output), {
      during: (kill, heard) => void heard.then(() => kill("SIGINT")),
    });
    expect(code, stderr).toBe(130);
    const { items } = await reportOf(output);
    expect(items.filter(({ status }) => status === "failed")).toEqual([]);
    expect(await leftovers(output)).toEqual([]);
    expect((await pipe(run(output, ...inputs))).code).toBe(0);
    const again = await reportOf(output);
    expect(again.items.filter(({ status }) => status === "cached").length).toBe(items.length);
  }, 60_000);

  it("a second SIGINT stops at once and publishes nothing half done", async () => {
    const output = await scratch();
    const { code } = await pipe(aloud(output), {
      during: (kill, heard) =>
        void heard
          .then(() => kill("SIGINT"))
          .then(() => sleep(50))
          .then(() => kill("SIGINT")),
    });
    expect(code).toBe(130);
    expect(await leftovers(output)).toEqual([]);
    expect((await pipe(["verify", output])).code).toBe(0);
  }, 60_000);
});

describe("an output that cannot take the result", () => {
  it("full: the item fails with the reason, and nothing is left behind", async () => {
    const output = await scratch();
    const { code, stderr } = await pipe(run(output, ...inputs), { shell: "ulimit -f 300; trap '' XFSZ" });
    expect(code, stderr).toBe(2);
    const { items } = await reportOf(output);
    expect(items.map(({ status }) => status)).toContain("failed");
    expect(items.find(({ status }) => status === "failed")?.reason).toMatch(/EFBIG|too large|space/i);
    expect(await leftovers(output)).toEqual([]);
  }, 60_000);

  it("a file in the way: told before any work, exit 1", async () => {
    const folder = await scratch();
    await writeFile(join(folder, "taken"), "");
    const { code, stderr } = await pipe(run(join(folder, "taken", "out"), ...inputs));
    expect(code).toBe(1);
    expect(stderr).toMatch(/taken/);
  });

  it("an empty input folder is told as such", async () => {
    const folder = await scratch();
    await mkdir(join(folder, "empty"));
    const { code, stderr } = await pipe(run(join(folder, "out"), "--input", join(folder, "empty")));
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/nothing|no video/i);
  });
});
