import { mkdir, rm, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { bind } from "../../src/pipelines/bind.ts";
import { parsePipelines } from "../../src/pipelines/load.ts";
import { run } from "../../src/pipelines/run.ts";
import type { Finished } from "../../src/stages/define.ts";
import { file, seen, stages } from "./fakes.ts";
import { temporary } from "./temporary.ts";

const pipeline = parsePipelines(file, "/x/pipelines.yaml", stages).pipelines["sum-bytes"]!;
let input: string;
let output: string;
let told: string[][];

beforeEach(async () => {
  [input, output] = [await temporary(), path.join(await temporary(), "made")];
  seen.begun = [];
  told = [];
});

const sink = stages["keep-sum"]!;
const telling = {
  ...stages,
  "keep-sum": Object.assign(Object.create(sink), {
    finish: async (_: unknown, items: readonly Finished[]) => {
      told.push(items.map(({ source, status }) => `${source.name} ${status}`));
    },
  }),
};

function watch(steady: number) {
  const drain = new AbortController();
  const result = run(bind(pipeline, telling, { input: [input], output }), {
    stages: telling,
    drain: drain.signal,
    watch: { every: 5, steady },
  });
  return { result, stop: () => drain.abort() };
}

async function old(name: string, text: string): Promise<void> {
  await writeFile(path.join(input, name), text);
  await utimes(path.join(input, name), 1000, 1000);
}

async function until(test: () => boolean): Promise<void> {
  while (!test()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe("watching", () => {
  it("takes what is there and what comes, each once, and ends well when asked to", async () => {
    await old("a", "abc");
    const { result, stop } = watch(1000);
    await until(() => told.length === 1);
    await old("b", "bc");
    await until(() => told.length === 2);
    await old("c", "!");
    await until(() => told.length === 3);
    // Rounds go on; nothing is done twice, what failed included.
    await new Promise((resolve) => setTimeout(resolve, 50));
    stop();
    const { report, exitCode } = await result;
    expect(seen.begun).toEqual(["a", "b", "c"]);
    expect(report.items.map(({ source, status }) => `${source.name} ${status}`)).toEqual([
      "a done",
      "b done",
      "c failed",
    ]);
    expect(told.slice(0, 3)).toEqual([["a done"], ["a done", "b done"], ["a done", "b done", "c failed"]]);
    expect(told).toHaveLength(4);
    expect(exitCode).toBe(2);
  });

  it("leaves a file alone while it grows", async () => {
    const { result, stop } = watch(120);
    for (let length = 1; length <= 8; length++) {
      await writeFile(path.join(input, "growing"), "a".repeat(length));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await until(() => told.length > 0);
    stop();
    const { report, exitCode } = await result;
    expect(report.items.map(({ source, status }) => [source.bytes, status])).toEqual([[8, "done"]]);
    expect(exitCode).toBe(0);
  });

  it("of a copy that paused, and failed, tells what came of it in the end", async () => {
    await old("a", "ab!");
    const { result, stop } = watch(0);
    await until(() => told.length === 1);
    await writeFile(path.join(input, "a"), "abcd");
    await until(() => told.length === 2);
    stop();
    const { report, outcomes, exitCode } = await result;
    expect(told.slice(0, 2)).toEqual([["a failed"], ["a done"]]);
    expect(report.items.map(({ source, status }) => `${source.name} ${status}`)).toEqual(["a done"]);
    expect([outcomes.length, report.totals.failed, report.totals.notStarted, exitCode]).toEqual([1, 0, 0, 0]);
  });

  it("works on a file again when it was changed, and on one of another name that has the same bytes from the cache", async () => {
    await old("a", "abc");
    const { result, stop } = watch(0);
    await until(() => told.length === 1);
    await old("b", "abc");
    await until(() => told.length === 2);
    await writeFile(path.join(input, "a"), "abcd");
    await until(() => seen.begun.length === 2 && told.at(-1)!.length === 3);
    stop();
    const { report } = await result;
    expect(report.items.map(({ source, status }) => `${source.name} ${status}`)).toEqual([
      "a done",
      "b cached",
      "a done",
    ]);
  });

  it("ends at once in an empty folder; a folder that vanishes for a while is waited for", async () => {
    const empty = watch(0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    empty.stop();
    expect(await empty.result).toMatchObject({ exitCode: 0, report: { totals: { items: 0 } } });
    await rm(input, { recursive: true });
    await mkdir(input);
    const { result, stop } = watch(0);
    await old("x", "ab");
    await until(() => told.length > 0);
    stop();
    expect((await result).report.totals.done).toBe(1);
  });
});
