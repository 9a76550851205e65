import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PipeError } from "../../src/errors.ts";
import { type FitEvent, type FitOptions, fit as train } from "../../src/nn/fit.ts";
import { adam } from "../../src/nn/optimisers.ts";
import { seeded } from "../../src/random.ts";
import { toResume } from "./fit-child.ts";
import { adversarialParts, adversarialPhases, outcome, root, scratch } from "./fit-toys.ts";

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What an uninterrupted run leaves: on the js engine, which starts at once, and on ONNX Runtime. */
let whole: Record<string, string>;
let wholeOnnx: Record<string, string>;
beforeAll(async () => {
  const folders = [scratch(), scratch()] as const;
  const result = await train(toResume(folders[0]));
  await train(toResume(folders[1], "onnx"));
  expect(result.best!.iteration).toBe(30);
  whole = await outcome(folders[0]);
  wholeOnnx = await outcome(folders[1]);
  expect(Object.keys(wholeOnnx)).toEqual(Object.keys(whole));
  expect(Object.keys(whole)).toEqual([
    "checkpoints/000000030.safetensors",
    "checkpoints/000000050.safetensors",
    "checkpoints/000000056.safetensors",
    "checkpoints/000000060.safetensors",
    "log.jsonl",
  ]);
});

const CHILD = fileURLToPath(new URL("./fit-child.ts", import.meta.url));

/** Runs the training process; `during` is told each event that it prints. */
async function child(folder: string, during: (said: string, kill: (signal: NodeJS.Signals) => void) => void) {
  const running = spawn(process.execPath, ["--import", "tsx", CHILD, folder], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  running.stdout.on("data", (chunk: Buffer) => {
    said += String(chunk);
    during(said, (signal) => running.kill(signal));
  });
  const [code, signal] = (await once(running, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal, said };
}

describe("after kill -9 the same call ends with the bytes of an uninterrupted run", () => {
  test("at random moments, again and again in one folder", async () => {
    const random = seeded("moments of fit");
    const folder = scratch();
    let reached = 0;
    let killed = 0;
    for (let i = 0; i < 3; i++) {
      // Some iterations further than the last kill, and then some milliseconds, so that any line of the loop may be met.
      const target = reached + 4 + Math.floor(random.next() * 8);
      const delay = random.next() * 6;
      const { signal, said } = await child(folder, (said, kill) => {
        if (said.includes(`step ${target}\n`)) void sleep(delay).then(() => kill("SIGKILL"));
      });
      // On a slow machine the kill may come after the end; then there is nothing left to kill.
      if (signal !== "SIGKILL") break;
      killed += 1;
      reached = Math.max(...Array.from(said.matchAll(/^step (\d+)$/gm), ([, n]) => Number(n)));
      // Whatever is there is whole: a reader never sees half a checkpoint.
      for (const name of await readdir(join(folder, "checkpoints")))
        if (!name.startsWith(".")) expect(name).toMatch(/^\d{9}\.safetensors$/);
    }
    expect(killed).toBeGreaterThan(0);
    await train(toResume(folder, "onnx"));
    expect(await outcome(folder)).toEqual(wholeOnnx);
    expect((await readdir(folder)).sort()).toEqual([".lock", "checkpoints", "log.jsonl", "timing.jsonl"]);
  }, 60_000);

  test("while a file was being written, and after the log had gone on", async () => {
    const folder = scratch();
    await train({ ...toResume(folder), iterations: 21 });
    // What a kill leaves: a half-written checkpoint, and lines that no checkpoint knows of, the last of them torn.
    await writeFile(join(folder, "checkpoints", ".000000028.safetensors.1.tmp"), "half");
    await writeFile(join(folder, "log.jsonl"), '{"iteration":24}\n{"itera', { flag: "a" });
    await train(toResume(folder));
    expect(await outcome(folder)).toEqual(whole);
  });
});

describe("abort", () => {
  test("SIGINT: the round is finished, a checkpoint written, and the process ends; resumed, the bytes are the same", async () => {
    const folder = scratch();
    let told = false;
    const { code, said } = await child(folder, (said, kill) => {
      if (said.includes("step 17\n") && !told) {
        told = true;
        kill("SIGINT");
      }
    });
    expect(code).toBe(130);
    expect(said).toMatch(/AbortError/);
    expect(said).toMatch(/end \d+\n/);
    const saved = (await readdir(join(folder, "checkpoints"))).filter((name) => name.startsWith("aborted-"));
    expect(saved.length).toBe(1);
    const { resumedFrom } = await train(toResume(folder, "onnx"));
    expect(saved[0]).toBe(`aborted-${String(resumedFrom).padStart(9, "0")}.safetensors`);
    expect(resumedFrom).toBeGreaterThanOrEqual(17);
    expect(await outcome(folder)).toEqual(wholeOnnx);
  }, 30_000);

  const aborting = (folder: string, when: (event: FitEvent) => boolean, more: Partial<FitOptions> = {}) => {
    const stop = new AbortController();
    const events: FitEvent[] = [];
    const run = train({
      ...toResume(folder),
      ...more,
      signal: stop.signal,
      progress(event) {
        events.push(event);
        if (when(event)) stop.abort(new Error("enough"));
      },
    });
    return { run, events, stop };
  };

  test.each([
    ["within a round", (event: FitEvent) => event.event === "step" && event.iteration === 25],
    ["at a checkpoint", (event: FitEvent) => event.event === "checkpoint" && event.iteration === 28],
    ["at a validation", (event: FitEvent) => event.event === "validation" && event.iteration === 30],
  ])("%s: the signal's reason is thrown, and the rest comes later", async (_, when) => {
    const folder = scratch();
    const { run, events } = aborting(folder, when);
    await expect(run).rejects.toThrow("enough");
    expect(events.at(-1)).toMatchObject({ event: "end", stopped: "aborted" });
    await train(toResume(folder));
    expect(await outcome(folder)).toEqual(whole);
  });

  test("while the validation works: it is told, and it is done again", async () => {
    const folder = scratch();
    const options = toResume(folder);
    const { run, stop } = aborting(folder, () => false, {
      validation: {
        ...options.validation!,
        measure: async (model) => {
          if (model.iteration < 20) return options.validation!.measure(model);
          stop.abort(new Error("enough"));
          model.signal.throwIfAborted();
          throw new Error("not told");
        },
      },
    });
    await expect(run).rejects.toThrow("enough");
    const { resumedFrom } = await train(options);
    expect(resumedFrom).toBe(20);
    expect(await outcome(folder)).toEqual(whole);
  });

  test("while a batch does not come, or comes to nothing because of it", async () => {
    const folder = scratch();
    let cancelled = false;
    const options = toResume(folder);
    const { run, stop } = aborting(folder, () => false, {
      async batch(iteration, phase, signal) {
        if (iteration < 13) return options.batch(iteration, phase, signal);
        setTimeout(() => stop.abort(new Error("enough")), 20);
        // The first one waits until it is not needed any more; the others give way to the abort itself.
        const awaited = iteration === 13 ? signal : stop.signal;
        if (!awaited.aborted) await once(awaited, "abort");
        cancelled ||= signal.aborted;
        throw new Error("no batch");
      },
    });
    await expect(run).rejects.toThrow("enough");
    expect(cancelled).toBe(true);
    expect((await train(options)).resumedFrom).toBe(12);
    expect(await outcome(folder)).toEqual(whole);
  });

  test("before anything was begun", async () => {
    const folder = scratch();
    await expect(train({ ...toResume(folder), signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow(
      "enough",
    );
    await expect(readdir(folder)).rejects.toThrow(/ENOENT/);
  });
});

describe("another run in the same folder", () => {
  test("at the same time is refused, and the first one goes on", async () => {
    const folder = scratch();
    const first = train(toResume(folder));
    await sleep(0);
    while (!existsSync(join(folder, "log.jsonl"))) await sleep(2);
    const second = train(toResume(folder));
    await expect(second).rejects.toThrow(`${folder}: process ${process.pid} is training into it.`);
    await first;
    expect(await outcome(folder)).toEqual(whole);
  });

  test("of many at once, one alone trains; the holder's crash frees the folder", async () => {
    const folder = scratch();
    // A process id that is not in use, and one of another machine.
    await mkdir(join(folder, ".lock"), { recursive: true });
    const mine = await lockOf(folder, () => train({ ...toResume(folder), iterations: 3 }));
    await writeFile(join(folder, ".lock", "7"), mine.replace(/^\d+/, "4194999"));
    const all = await Promise.allSettled(
      Array.from({ length: 8 }, () => train({ ...toResume(folder), iterations: 60 })),
    );
    expect(all.filter(({ status }) => status === "fulfilled").length).toBe(1);
    expect(await outcome(folder)).not.toEqual({});
    await writeFile(join(folder, ".lock", "99"), "12-34-abcdefab");
    await expect(train(toResume(folder))).rejects.toThrow(/a process of another machine is training into it/);
  });

  const other: [string, (options: FitOptions) => FitOptions, RegExp][] = [
    ["seed", (o) => ({ ...o, seed: 6 }), /: seed was 5, now it is 6\./],
    ["a loss's weight", (o) => ({ ...o, phases: reweighted(o) }), /phases\.critic\.weights\.gap was 1, now it is 2\./],
    [
      "a learning rate",
      (o) => ({ ...o, phases: adversarialPhases(adam({ learningRate: 0.02 })) }),
      /phases\.critic\.optimiser was "adam\(0\.01,.*now it is "adam\(0\.02,/,
    ],
    [
      "how often",
      (o) => ({ ...o, phases: adversarialPhases(adam({ learningRate: 0.01 }), 2) }),
      /phases\.generator\.every was 3, now it is 2/,
    ],
    [
      "the order of phases",
      (o) => ({ ...o, phases: o.phases.toReversed() }),
      /the order of phases was critic, generator/,
    ],
    ["the caller's own", (o) => ({ ...o, config: { data: "drawn", fold: 3 } }), /config\.fold was 2, now it is 3/],
    [
      "a field that is new",
      (o) => ({ ...o, config: { data: "drawn", fold: 2, side: 64 } }),
      /config\.side was not there, now it is 64/,
    ],
    [
      "validation",
      (o) => ({ ...o, validation: { ...o.validation!, patience: 3 } }),
      /validation\.patience was null, now it is 3/,
    ],
    [
      "a start",
      (o) => ({ ...o, start: { critic: new Map([["w", { shape: [3], data: new Float32Array(3) }]]) } }),
      /start\.critic was "seed 5"/,
    ],
    ["the engine", (o) => ({ ...o, engine: "onnx" }), /engine was "js", now it is "onnx cpu"/],
    [
      "a shape",
      (o) => ({ ...o, parts: { ...adversarialParts, critic: [{ ...adversarialParts.critic![0]!, shape: [4] }] } }),
      /parts\.critic\.w was \[3\], now it is \[4\]/,
    ],
  ];
  const reweighted = (o: FitOptions) =>
    o.phases.map((p, i) => (i === 0 ? { ...p, weights: { ...p.weights, gap: 2 } } : p));
  describe("with another configuration is refused, and the field named", () => {
    const folder = scratch();
    let before: Record<string, string>;
    beforeAll(async () => {
      await train({ ...toResume(folder), iterations: 7 });
      before = await outcome(folder);
    });
    test.each(other)("%s", async (_, change, words) => {
      const run = train(change(toResume(folder)));
      await expect(run).rejects.toThrow(words);
      await expect(run).rejects.toBeInstanceOf(PipeError);
      expect(await outcome(folder)).toEqual(before);
    });
    test("fewer iterations than are done", async () => {
      await expect(train({ ...toResume(folder), iterations: 6 })).rejects.toThrow(
        /has a run of 7 iterations; 6 were asked for/,
      );
    });
  });

  test("may be longer; a log that was cut, and a checkpoint that was damaged, are told", async () => {
    const folder = scratch();
    await train({ ...toResume(folder), iterations: 20 });
    expect(await train({ ...toResume(folder), iterations: 40 })).toMatchObject({ iteration: 40, resumedFrom: 20 });
    const log = join(folder, "log.jsonl");
    const bytes = await readFile(log);
    await truncate(log, 10);
    await expect(train(toResume(folder))).rejects.toThrow(
      /log\.jsonl has 10 bytes, but the checkpoint was written after/,
    );
    await writeFile(log, bytes);
    const newest = join(folder, "checkpoints", "000000040.safetensors");
    await truncate(newest, 2000);
    await expect(train(toResume(folder))).rejects.toThrow(/000000040\.safetensors: /);
    await rm(newest);
    await train(toResume(folder));
    expect(await outcome(folder)).toEqual(whole);
  });
});

/** What the lock says while `body` runs. */
async function lockOf(folder: string, body: () => Promise<unknown>): Promise<string> {
  const running = body();
  while (!existsSync(join(folder, ".lock", "1"))) await sleep(1);
  const held = await readFile(join(folder, ".lock", "1"), "utf8");
  await running;
  return held;
}
