import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { z } from "zod";
import { digestOf } from "../../src/digest.ts";
import { bind } from "../../src/pipelines/bind.ts";
import { parsePipelines } from "../../src/pipelines/load.ts";
import { run } from "../../src/pipelines/run.ts";
import { type Cached, defineStage, type Finished, type Stages } from "../../src/stages/define.ts";
import { temporary } from "./temporary.ts";

const VIDEOS = 10_000;

/** What a video is, from its number: every hundredth cannot be read, every tenth has the bytes of the one before. */
const kindOf = (i: number) => (i % 100 === 99 ? "refused" : i % 100 === 50 ? "broken" : i % 10 === 3 ? "twin" : "own");

/** An archive in memory: forty folders, the same basenames in all of them. */
const archive = (worked: string[], published: Map<string, Cached>, finished: Finished[][]): Stages => {
  const source = defineStage({
    name: "list-videos",
    summary: "an archive of tiny videos → frame*",
    version: 1,
    takes: "none",
    gives: "frame",
    options: z.strictObject({}),
    async *sources() {
      for (let i = 0; i < VIDEOS; i++) {
        const name = `season ${i % 40}/episode ${Math.floor(i / 40)}.mp4`;
        const at = { path: `/archive/${name}`, name };
        if (kindOf(i) === "refused") yield { ...at, refused: "is a named pipe, not a regular file" };
        else yield { ...at, bytes: 1, digest: digestOf(kindOf(i) === "twin" ? i - 1 : i) };
      }
    },
    run: (_, { source, ledger, verdict }) =>
      async function* () {
        worked.push(source.name);
        if (broken.has(source.name)) throw new RangeError("no video stream");
        for (const name of ["demuxed", "decoded", "sampled"] as const) ledger.add(name);
        yield { kind: "frame", index: 0, pts: 0, image: { width: 1, height: 1, data: new Uint8Array(3) } };
        verdict("complete");
      },
  });
  const sink = defineStage({
    name: "keep",
    summary: "frame* → artifact",
    version: 1,
    takes: "frame",
    gives: "artifact",
    options: z.strictObject({ output: z.string().describe("folder") }),
    runtime: ["output"],
    output: ({ output }) => output,
    cached: async (_, { key }) => published.get(key),
    finish: async (_, items) => void finished.push([...items]),
    run: (_, context) =>
      async function* (frames) {
        for await (const { index } of frames) if (index === 0) context.ledger.row("ok");
        const artifact = { kind: "artifact" as const, path: `/made/${context.key}`, bytes: 1 };
        published.set(context.key, { artifact, counts: context.ledger.counts, verdict: "complete", facts: {} });
        yield artifact;
      },
  });
  return { "list-videos": source, keep: sink } as unknown as Stages;
};
const nameOf = (i: number) => `season ${i % 40}/episode ${Math.floor(i / 40)}.mp4`;
const numbers = Array.from({ length: VIDEOS }, (_, i) => i);
const broken = new Set(numbers.filter((i) => kindOf(i) === "broken").map(nameOf));

it("ten thousand tiny videos: each told of once and in order, what is broken by its reason, twins worked on once", async () => {
  const output = await temporary();
  const [worked, published, finished]: [string[], Map<string, Cached>, Finished[][]] = [[], new Map(), []];
  const stages = archive(worked, published, finished);
  const text = JSON.stringify({ all: { about: "…", steps: [{ "list-videos": {} }, { keep: { output } }] } });
  const pipeline = bind(parsePipelines(text, "pipelines.yaml", stages).pipelines.all!, stages, {}, []);
  const told: string[] = [];
  const progress = {
    begin() {},
    item: ({ source }: { source: { name: string } }) => void told.push(source.name),
    note() {},
    end() {},
  };
  const { report, exitCode, outcomes } = await run(pipeline, { stages, jobs: 3, progress });
  const count = (kind: string) => numbers.filter((i) => kindOf(i) === kind).length;
  expect(exitCode).toBe(2);
  expect(report.totals).toMatchObject({
    items: VIDEOS,
    done: count("own"),
    cached: count("twin"),
    failed: count("broken") + count("refused"),
    stopped: 0,
    notStarted: 0,
  });
  // In the order in which they were found, whoever ended first.
  expect(report.items.map(({ source }) => source.name).join()).toBe(numbers.map(nameOf).join());
  expect(outcomes).toHaveLength(VIDEOS);
  for (const [i, { status, reason = "" }] of report.items.entries()) {
    const [wanted, why] = {
      own: ["done", ""],
      twin: ["cached", ""],
      broken: ["failed", "RangeError: no video stream"],
      refused: ["failed", "is a named pipe, not a regular file"],
    }[kindOf(i)];
    if (status !== wanted || reason !== why) expect([i, status, reason]).toEqual([i, wanted, why]);
  }
  expect(worked.length).toBe(count("own") + count("broken"));
  expect(new Set(told).size).toBe(VIDEOS);
  expect(told).toHaveLength(VIDEOS);
  // The sink hears of all of them, once.
  expect(finished.map((items) => items.length)).toEqual([VIDEOS]);
  const { length } = await readFile(path.join(output, "report.json"));
  expect(length / VIDEOS).toBeLessThan(1500);

  const again = await run(pipeline, { stages, jobs: 3 });
  expect(again.report.totals).toMatchObject({ cached: count("own") + count("twin"), done: 0 });
  expect(worked.length).toBe(count("own") + 2 * count("broken"));
});
