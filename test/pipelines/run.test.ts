import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { Json } from "../../src/digest.ts";
import { bind } from "../../src/pipelines/bind.ts";
import { parsePipelines } from "../../src/pipelines/load.ts";
import { plan } from "../../src/pipelines/plan.ts";
import { reportSchema } from "../../src/pipelines/report.ts";
import { type RunOptions, run } from "../../src/pipelines/run.ts";
import type { Progress, RunState } from "../../src/pipelines/state.ts";
import { runTask } from "../../src/pipelines/task.ts";
import { SharedPool } from "../../src/stages/context.ts";
import { handles } from "../stages/fakes.ts";
import { file, seen, stages } from "./fakes.ts";
import { temporary } from "./temporary.ts";

const pipeline = parsePipelines(file, "/x/pipelines.yaml", stages).pipelines["sum-bytes"]!;
let input: string;
let output: string;

beforeEach(async () => {
  input = await temporary();
  output = path.join(await temporary(), "made");
  seen.begun = [];
  seen.hold = undefined;
  return () => {
    expect([handles.open, seen.shared]).toEqual([0, 0]);
  };
});

async function files(contents: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(contents)) await writeFile(path.join(input, name), text);
}

function go(given: Record<string, Json> = {}, options: Partial<RunOptions> = {}) {
  return run(bind(pipeline, stages, { input: [input], output, ...given }), { stages, ...options });
}

async function report() {
  return reportSchema.parse(JSON.parse(await readFile(path.join(output, "report.json"), "utf8")));
}

async function sums(): Promise<string[]> {
  return (await readdir(output)).filter((name) => name.endsWith(".sum")).sort();
}

/** Holds every task in its second stage until let go. */
function hold(): () => void {
  let release = () => {};
  seen.hold = new Promise((resolve) => {
    release = () => {
      seen.hold = undefined;
      resolve();
    };
  });
  return release;
}

async function until(test: () => boolean): Promise<void> {
  while (!test()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe("run", () => {
  it("does what is to be done and says so in report.json", async () => {
    await files({ a: "abc", b: "bc" });
    const result = await go({ every: 2 });
    expect(result).toMatchObject({ exitCode: 0, output });
    const written = await report();
    expect(written).toEqual(result.report);
    expect(written).toMatchObject({
      pipeline: "sum-bytes",
      params: { input: [input], output, scale: 1, every: 2 },
      versions: { "affect-pipe": expect.any(String), node: process.versions.node },
      engine: "fake",
      facts: { engine: "fake" },
      totals: { items: 2, done: 2, cached: 0, failed: 0, partial: 0, stopped: 0, notStarted: 0, interrupted: false },
    });
    const [a, b] = written.items;
    expect(a).toMatchObject({
      source: { name: "a", path: path.join(input, "a"), bytes: 3, digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
      status: "done",
      verdict: "complete",
      counts: { demuxed: 3, decoded: 3, sampled: 2, skipped: 1, rows: { ok: 2, no_face: 0 } },
      facts: { tracks: 1 },
    });
    expect(Object.keys(b!.stages)).toEqual(["read-bytes", "weigh", "keep-sum"]);
    expect(written.totals.counts).toMatchObject({ demuxed: 5, sampled: 3, rows: { ok: 3 } });
    expect(await sums()).toHaveLength(2);
    expect((await readdir(output)).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("computes nothing twice, and again by force", async () => {
    await files({ a: "abc" });
    await go();
    expect(seen.begun).toEqual(["a"]);
    const again = await go();
    expect(seen.begun).toEqual(["a"]);
    expect(again.report.items[0]).toMatchObject({ status: "cached", verdict: "complete", counts: { rows: { ok: 3 } } });
    expect(again.exitCode).toBe(0);
    await go({}, { force: true });
    expect(seen.begun).toEqual(["a", "a"]);
  });

  it("goes on after a bad item, and records each with its reason", async () => {
    await files({ a: "abc", b: "a!c", c: "xxc", "d.no": "", e: "a?" });
    const result = await go({}, { jobs: 2 });
    expect(result.exitCode).toBe(2);
    expect((await report()).items.map(({ source, status, reason }) => [source.name, status, reason])).toEqual([
      ["a", "done", undefined],
      ["b", "failed", "RangeError: exclamation"],
      ["c", "partial", "2 bytes are damaged."],
      ["d.no", "failed", "not a video"],
      ["e", "failed", "The ledger does not balance: decoded = 2, but sampled + skipped = 1."],
    ]);
    expect((await report()).totals).toMatchObject({ done: 1, failed: 3, partial: 1 });
  });

  it("says again that what is cached is partial", async () => {
    await files({ c: "xbc" });
    await go();
    const again = await go();
    expect(again.report.items[0]).toMatchObject({ status: "partial", verdict: "damaged" });
    expect([again.exitCode, seen.begun]).toEqual([2, ["c"]]);
  });

  it("fails when every source is refused, and when there is none", async () => {
    await files({ "a.no": "" });
    expect((await go()).exitCode).toBe(2);
    input = await temporary();
    await expect(go()).rejects.toThrow("sum-bytes found nothing to work on.");
    expect((await report()).items).toEqual([]);
  });

  it("writes the report when the sources themselves fail, and then tells the error", async () => {
    await files({ a: "abc" });
    await expect(go({ input: [input, path.join(input, "nowhere")] })).rejects.toThrow("ENOENT");
    expect((await report()).items.map((item) => item.status)).toEqual(["done"]);
  });

  it("tells at once that the output cannot be written", async () => {
    await files({ a: "abc" });
    const taken = path.join(input, "a", "b");
    await expect(go({ output: taken })).rejects.toThrow(`Cannot write ${taken}: a part of the path is a file`);
    expect(seen.begun).toEqual([]);
  });

  it("tells what became of the items even when the report cannot be written", async () => {
    await files({ a: "abc" });
    await mkdir(path.join(output, "report.json"), { recursive: true });
    await writeFile(path.join(output, "report.json", "x"), "");
    const notes: string[] = [];
    const progress = { begin() {}, item() {}, note: (message: string) => notes.push(message), end() {} };
    const running = go({}, { progress: progress as Progress });
    await expect(running).resolves.toMatchObject({ exitCode: 2, report: { totals: { done: 1 } } });
    expect(notes[0]).toContain(`Cannot write ${path.join(output, "report.json")}`);
    expect(await sums()).toHaveLength(1);
  });

  it("works on several sources at once, and no more than asked", async () => {
    await files({ a: "ab", b: "bc", c: "cd", d: "de" });
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on("warning", warned);
    const release = hold();
    const running = go({}, { jobs: 3, stop: new AbortController().signal });
    await until(() => seen.begun.length === 3);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(seen.begun).toHaveLength(3);
    expect(warnings).toEqual([]);
    process.off("warning", warned);
    release();
    expect((await running).report.items.map((item) => item.source.name)).toEqual(["a", "b", "c", "d"]);
  });

  it("does the work of equal bytes once", async () => {
    await files({ a: "abc", b: "abc" });
    const { report } = await go({}, { jobs: 2 });
    expect(report.items.map((item) => item.status).sort()).toEqual(["cached", "done"]);
    expect(seen.begun).toHaveLength(1);
  });

  it("looks at no more sources than asked", async () => {
    await files({ a: "ab", b: "bc" });
    expect((await go({}, { limit: 1 })).report.items).toHaveLength(1);
  });

  it("drains: begins nothing new, finishes and publishes what is in flight", async () => {
    await files({ a: "ab", b: "bc", c: "cd" });
    const drain = new AbortController();
    const release = hold();
    let state: RunState | undefined;
    const begin = (begun: RunState) => {
      state = begun;
    };
    const progress = { begin, item() {}, note() {}, end() {} };
    const running = go({}, { drain: drain.signal, progress });
    await until(() => seen.begun.length === 1 && state?.counted === true);
    drain.abort();
    release();
    const { exitCode, report } = await running;
    expect(exitCode).toBe(130);
    expect(report.items.map(({ source, status }) => [source.name, status])).toEqual([["a", "done"]]);
    expect(report.totals).toMatchObject({ notStarted: 2, interrupted: true });
    expect(await sums()).toHaveLength(1);
  });

  it("drains: what a stage saves to go on with later is stopped, not failed, and no bug", async () => {
    await files({ a: "~", b: "bc" });
    const drain = new AbortController();
    const notes: string[] = [];
    let state: RunState | undefined;
    const begin = (begun: RunState) => {
      state = begun;
    };
    const progress = { begin, item() {}, note: (message: string) => void notes.push(message), end() {} };
    const running = go({}, { drain: drain.signal, progress });
    await until(() => seen.begun.length === 1 && state?.counted === true);
    drain.abort();
    const { exitCode, report } = await running;
    expect(exitCode).toBe(130);
    expect(report.items).toMatchObject([
      { source: { name: "a" }, status: "stopped", reason: "Stopped before its end; the same command goes on." },
    ]);
    expect(report.totals).toMatchObject({ stopped: 1, failed: 0, notStarted: 1, interrupted: true });
    expect([notes, await sums()]).toEqual([[], []]);
  });

  it("stops at once: publishes nothing unfinished, closes everything, still reports", async () => {
    await files({ a: "ab", b: "bc" });
    const stop = new AbortController();
    hold();
    const running = go({}, { stop: stop.signal, jobs: 2 });
    await until(() => seen.begun.length === 2);
    stop.abort();
    expect((await running).exitCode).toBe(130);
    expect((await report()).items.map(({ status, reason }) => [status, reason])).toEqual([
      ["stopped", "Stopped before its end."],
      ["stopped", "Stopped before its end."],
    ]);
    expect((await report()).totals).toMatchObject({ stopped: 2, failed: 0, interrupted: true });
    expect(await readdir(output)).toEqual(["report.json"]);
    seen.hold = undefined;
    const plain = await go();
    expect(plain.exitCode).toBe(0);
    expect(await sums()).toHaveLength(2);
  });

  it("does tasks that went through JSON", async () => {
    await files({ a: "abc" });
    const bound = bind(pipeline, stages, { input: [input], output: input });
    await using pool = new SharedPool();
    for await (const { task } of plan(bound, { stages, limit: 1 })) {
      const copy = JSON.parse(JSON.stringify(task));
      const { signal } = new AbortController();
      const tools = { stages, pool, signal, drain: signal, note() {} };
      expect(await runTask(copy, tools)).toMatchObject({ status: "done", facts: { tracks: 2 } });
    }
  });
});
