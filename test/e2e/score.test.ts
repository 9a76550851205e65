import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs-core";
import { parse } from "csv-parse/sync";
import { describe, expect, it } from "vitest";
import { compile } from "../../src/compile/index.ts";
import { digestOf } from "../../src/digest.ts";
import { pipe, reportOf, sample, scratch } from "./pipe.ts";

const run = (output: string, ...more: string[]) =>
  ["run", "score", "--progress", "none", "--fps", "2", "--output", output, ...more] as const;

/** An archive as one finds them: broken files, a duplicate, one basename in two folders, a name that means mischief. */
async function archive(): Promise<string> {
  const folder = await scratch();
  await mkdir(join(folder, "b & <c>"));
  await copyFile(sample("one-face.mp4"), join(folder, "a.mp4"));
  await copyFile(sample("one-face.mp4"), join(folder, "same.mp4"));
  await copyFile(sample("two-faces.mp4"), join(folder, "b & <c>/a.mp4"));
  const bytes = await readFile(sample("cuts-and-gaps.mp4"));
  await writeFile(join(folder, "cut.mp4"), bytes.subarray(0, bytes.length >> 1));
  const damaged = Buffer.from(await readFile(sample("fifty-a-second.mp4")));
  await writeFile(join(folder, "empty.mp4"), "");
  await writeFile(join(folder, "noise.mp4"), Buffer.from(damaged.map((byte, i) => (byte * 31 + i) & 255)));
  return folder;
}

/** All that was published but reports, which have times in them: name → sha256. */
async function made(output: string): Promise<Record<string, string>> {
  const files = (await readdir(output, { recursive: true, withFileTypes: true })).filter((each) => each.isFile());
  const names = files.map((each) => join(each.parentPath, each.name).slice(output.length + 1)).sort();
  const kept = names.filter((name) => name !== "report.json" && name !== ".digests.jsonl");
  return Object.fromEntries(
    await Promise.all(kept.map(async (name) => [name, digestOf(await readFile(join(output, name)))])),
  );
}

async function index(output: string): Promise<Record<string, string>[]> {
  return parse(await readFile(join(output, "index.csv"), "utf8"), { columns: true }) as Record<string, string>[];
}

describe("pipe run score", () => {
  it("scores an archive, names what is broken, and ends with the same bytes in two processes after a kill", async () => {
    const [input, whole, killed] = [await archive(), await scratch(), await scratch()];
    const from = performance.now();
    const first = await pipe(run(whole, "--input", input));
    const span = performance.now() - from;
    expect(first.code, first.stderr).toBe(2);
    const [open, caution] = first.stderr.trimEnd().split("\n").slice(-2);
    expect(open).toBe(`Open ${join(whole, "index.html")}`);
    expect(caution).toMatch(/^These numbers measure nobody\. anclaf-sa-8 has seen drawn faces alone/);
    const rows = await index(whole);
    expect(rows.map(({ name, status }) => [name, status])).toEqual([
      ["a.mp4", "done"],
      ["b & <c>/a.mp4", "done"],
      ["cut.mp4", "failed"],
      ["empty.mp4", "failed"],
      ["noise.mp4", "failed"],
      ["same.mp4", "done"],
    ]);
    expect(rows[0]!.folder).toBe(rows[5]!.folder);
    expect(rows[1]!.folder).toMatch(/^b_c_\/a-[0-9a-f]{12}$/);
    for (const { status, ...row } of rows)
      expect(row).toMatchObject(
        status === "done"
          ? { valence_low: "-10", valence_high: "10", trained_on: "synthetic faces", caution }
          : { valence_low: "", valence_high: "", trained_on: "", caution: "" },
      );
    expect(await readFile(join(whole, "index.html"), "utf8")).toContain('<p class="banner" role="note">These numbers');
    for (const { status, reason } of rows) expect(reason === "").toBe(status === "done");
    expect((await reportOf(whole)).items.map(({ status }) => status)).toEqual([
      "done",
      "done",
      "failed",
      "failed",
      "failed",
      "cached",
    ]);
    // Digests are remembered of files that have not just been written.
    expect((await readdir(whole)).filter((name) => name.startsWith(".") && name !== ".digests.jsonl")).toEqual([]);

    const again = await pipe(["plan", "score", "--fps", "2", "--output", whole, "--input", join(input, "a.mp4")]);
    expect(again.stdout).toMatch(/a\.mp4 +cached/);
    const other = await pipe([
      "plan",
      "score",
      "--fps",
      "2",
      "--output",
      whole,
      "--input",
      join(input, "a.mp4"),
      "--smooth",
      "50",
    ]);
    expect(other.stdout).toMatch(/a\.mp4 +run +write-scores\.smoothMs: 200 → 50 \(takes another result's place: needs/);
    const before = await made(whole);
    const replacing = await pipe([...run(whole, "--smooth", "50"), join(input, "a.mp4")]);
    expect([replacing.code, replacing.stderr]).toEqual([
      1,
      expect.stringMatching(
        /holds another result for a\.mp4: write-scores\.smoothMs: 200 → 50\.\n.*--output DIR.*--force/,
      ),
    ]);
    expect(await made(whole)).toEqual(before);

    const cut = await pipe(run(killed, "--input", input, "--jobs", "2"), {
      during: (kill) => void sleep(span * 0.6).then(() => kill("SIGKILL")),
    });
    expect(cut.signal).toBe("SIGKILL");
    const resumed = await pipe(run(killed, "--input", input, "--jobs", "2"));
    expect(resumed.code, resumed.stderr).toBe(2);
    expect(await made(killed)).toEqual(await made(whole));
  }, 240_000);

  it("takes a model of one's own", async () => {
    const folder = await scratch();
    {
      await using model = compile(
        ({ face }) => {
          const bright = tf.mean(tf.cast(face!, "float32"), [1, 2, 3]);
          return { said: tf.stack([bright, tf.sub(1, bright)], 1) };
        },
        { name: "bright", engine: "onnx" },
      );
      await writeFile(join(folder, "bright.onnx"), model.toOnnx({ face: { shape: [4, 32, 32, 3], dtype: "float32" } }));
      await writeFile(join(folder, "bright.yaml"), "outputs: { said: [arousal, valence] }\nscale: [0, 1]\n");
    }
    const output = join(folder, "scores");
    const model = ["--model", join(folder, "bright.onnx"), "--input", sample("one-face.mp4"), "--format", "csv"];
    const { code, stderr, stdout } = await pipe(run(output, ...model));
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("model: bright.onnx");
    const name = (await readdir(output)).find((each) => each.startsWith("one-face-"))!;
    const rows = parse(await readFile(join(output, name, "scores.csv"), "utf8"), { columns: true }) as Record<
      string,
      string
    >[];
    expect(rows.length).toBe(8);
    for (const { valence, arousal } of rows) expect(Number(valence) + Number(arousal)).toBeCloseTo(1, 4);
    const wrong = await pipe(run(output, ...model, "--set", "predict-affect.spec={outputs: {said: valence}}"));
    expect(wrong.stderr).toMatch(/output "said" has 2 numbers a face, and the spec reads 1/);
    // Before any video: nothing has failed, and nothing was begun.
    expect(wrong.code).toBe(1);
  }, 120_000);

  it("watches a folder: scores what comes, and ends cleanly when interrupted", async () => {
    const [input, output] = [await scratch(), await scratch()];
    const { code, stdout, stderr } = await pipe(run(output, "--watch", input), {
      async during(kill) {
        await sleep(500);
        await copyFile(sample("one-face.mp4"), join(input, "later.mp4"));
        for (let i = 0; i < 600 && !(await readdir(output)).includes("index.html"); i++) await sleep(100);
        kill("SIGINT");
      },
    });
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/later\.mp4 +done/);
    expect((await index(output)).map(({ name, status }) => [name, status])).toEqual([["later.mp4", "done"]]);
    const refused = await pipe(run(output, "--watch", join(input, "none")));
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/There is no folder .*none to watch/)]);
  }, 120_000);
});
