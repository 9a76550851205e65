import { rmSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterAll, describe, expect, test, vi } from "vitest";
import { SessionHost } from "../../src/compile/session.ts";
import { PipeError } from "../../src/errors.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/nn/checkpoint.ts";
import { Ahead } from "../../src/nn/fit/ahead.ts";
import { FolderLock } from "../../src/nn/fit/lock.ts";
import { roundAfter } from "../../src/nn/fit/schedule.ts";
import { stack } from "../../src/nn/fit/stack.ts";
import { exportWeights, inWords, type Phase, fit as train, weightsOf } from "../../src/nn/fit.ts";
import { initialise } from "../../src/nn/init.ts";
import { adam } from "../../src/nn/optimisers.ts";
import { ownerState, ownerTag } from "../../src/owner.ts";
import { adversarial, adversarialParts, adversarialPhases, descent, root, scratch } from "./fit-toys.ts";

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("the schedule", () => {
  const phase = (name: string, every: number) => ({ name, every }) as unknown as Phase;

  test("rounds give the plain order, whatever is put together", () => {
    const every = fc.integer({ min: 1, max: 7 });
    const setup = fc.record({
      phases: fc.array(every, { minLength: 1, maxLength: 4 }),
      stepsPerRun: fc.integer({ min: 1, max: 9 }),
      pauses: every,
      iterations: fc.integer({ min: 1, max: 40 }),
    });
    fc.assert(
      fc.property(setup, ({ phases: everies, stepsPerRun, pauses, iterations }) => {
        const phases = everies.map((n, i) => phase(`p${i}`, n));
        const plain: string[] = [];
        for (let i = 1; i <= iterations; i++)
          for (const { name, every } of phases) if (i % every! === 0) plain.push(`${i} ${name}`);
        const found: string[] = [];
        const pause = (i: number) => i % pauses === 0 || i === iterations;
        for (let done = 0; done < iterations; ) {
          const round = roundAfter(done, phases, { stepsPerRun, pause });
          expect(round.from).toBe(done + 1);
          for (let i = round.from; i < round.to; i++) expect(pause(i)).toBe(false);
          for (const { phase, iterations } of round.runs) {
            expect(iterations.length).toBeLessThanOrEqual(stepsPerRun);
            for (const i of iterations) found.push(`${i} ${phase.name}`);
          }
          done = round.to;
        }
        expect(found).toEqual(plain);
      }),
    );
  });

  test("critic steps come in blocks", () => {
    const gan = [phase("critic", 1), phase("generator", 5)];
    const round = roundAfter(5, gan, { stepsPerRun: 8, pause: () => false });
    expect(round.runs.map(({ phase, iterations }) => [phase.name, iterations])).toEqual([
      ["critic", [6, 7, 8, 9, 10]],
      ["generator", [10]],
    ]);
  });
});

describe("things made ahead", () => {
  test("come in order, however long each takes; a failure comes where its thing is taken", async () => {
    const ahead = new Ahead(
      [30, 0, -1, 10],
      async (ms) => {
        await new Promise((resolve) => setTimeout(resolve, ms));
        if (ms < 0) throw new Error("broken");
        return ms;
      },
      3,
    );
    expect(await ahead.take()).toBe(30);
    expect(await ahead.take()).toBe(0);
    await expect(ahead.take()).rejects.toThrow("broken");
    expect(await ahead.take()).toBe(10);
    expect(() => ahead.take()).toThrow("More was taken");
    await ahead.end();
  });

  test("none ahead: each is begun when it is taken", async () => {
    const begun: number[] = [];
    const ahead = new Ahead([1, 2], async (n) => void begun.push(n), 0);
    expect(begun).toEqual([]);
    await ahead.take();
    expect(begun).toEqual([1]);
  });
});

test("feeds are stacked only when they are alike", () => {
  const one = { x: { data: Float32Array.of(1, 2), shape: [2] }, n: { data: Uint8Array.of(7), shape: [1, 1] } };
  const two = { n: { data: Uint8Array.of(8), shape: [1, 1] }, x: { data: Float32Array.of(3, 4), shape: [2] } };
  expect(stack([one, two])).toEqual({
    x: { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] },
    n: { data: Uint8Array.of(7, 8), shape: [2, 1, 1] },
  });
  expect(stack([one, { ...two, n: { data: Int32Array.of(8), shape: [1, 1] } }])).toBeNull();
  expect(stack([one, { ...two, x: { data: Float32Array.of(3, 4), shape: [1, 2] } }])).toBeNull();
  expect(stack([one, { x: one.x }])).toBeNull();
});

describe("the lock", () => {
  test("a process that is gone holds nothing; one of another machine may", async () => {
    expect(await ownerState(ownerTag())).toBe("alive");
    expect(await ownerState(ownerTag().replace(/^\d+/, "4194999"))).toBe("dead");
    // The same process id, started at another time: somebody else.
    if (process.platform === "linux") expect(await ownerState(ownerTag().replace(/-\d+-/, "-1-"))).toBe("dead");
    expect(await ownerState("1-2-00000000")).toBe("elsewhere");
    expect(await ownerState("nonsense")).toBe("elsewhere");
  });

  test("many who want it at once, after a crash: one alone has it, each time", async () => {
    const folder = scratch();
    await mkdir(join(folder, ".lock"), { recursive: true });
    await writeFile(join(folder, ".lock", "3"), ownerTag().replace(/^\d+/, "4194999"));
    let holders = 0;
    for (let round = 0; round < 5; round++) {
      const all = await Promise.allSettled(Array.from({ length: 20 }, () => FolderLock.take(folder)));
      const held = all.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
      expect(held.length).toBe(1);
      holders += held.length;
      await held[0]![Symbol.asyncDispose]();
    }
    expect(holders).toBe(5);
    expect(await readdir(join(folder, ".lock"))).toEqual(["8"]);
    expect(await readFile(join(folder, ".lock", "8"), "utf8")).toBe("free");
  });
});

describe("weights for inference", () => {
  const about = {
    trainedOn: "numbers drawn from seed 5",
    command: "pipe run train",
    seed: 5,
    metrics: { ccc: 0.25 },
  };

  test("a part of a checkpoint, exported as float16, is read like any other weights", async () => {
    const { last, weights } = await train(adversarial(adam({ learningRate: 0.01 }), { engine: "js", iterations: 4 }));
    expect(await weightsOf(last, "combiner")).toEqual(weights.combiner);
    expect([...(await weightsOf(last)).keys()]).toEqual(["w", "g", "c", "bias"]);
    await expect(weightsOf(last, "judge")).rejects.toThrow(/has no part "judge"/);

    const path = join(root, "combiner.safetensors");
    const digest = await exportWeights(path, [weights.critic!, weights.combiner!], about);
    const read = await readCheckpoint(path);
    expect(read.digest).toBe(digest);
    expect(read.metadata).toEqual({ ...about, seed: "5", metrics: '{"ccc":0.25}' });
    expect([...read.weights.keys()]).toEqual(["w", "c", "bias"]);
    for (const [name, { data }] of read.weights) {
      const exact = (weights.critic!.get(name) ?? weights.combiner!.get(name))!.data;
      for (const [i, x] of data.entries())
        expect(Math.abs(x - exact[i]!)).toBeLessThanOrEqual(Math.abs(exact[i]!) * 2 ** -11);
    }
  });

  test("what is not a training checkpoint has no parts; what float16 cannot hold is not written", async () => {
    const path = join(root, "plain.safetensors");
    await writeCheckpoint(path, initialise(adversarialParts.critic!, 1));
    await expect(weightsOf(path)).rejects.toThrow(/is not a checkpoint of a training run/);
    const wide = new Map([["w", { shape: [1], data: Float32Array.of(65520) }]]);
    await expect(exportWeights(join(root, "x"), [wide], about)).rejects.toThrow(/"w" holds 65520, which f16 cannot/);
    await expect(exportWeights(join(root, "x"), [wide, wide], about, "f32")).rejects.toBeInstanceOf(PipeError);
    await exportWeights(join(root, "x"), [wide], about, "f32");
  });
});

test("one graph and session for each phase, however many steps; each thread ends with its run", async () => {
  const open = vi.spyOn(SessionHost.prototype, "open");
  const close = vi.spyOn(SessionHost.prototype, "close");
  await train(adversarial(descent(0.01), { iterations: 240, checkpointEvery: 50 }));
  expect(open).toHaveBeenCalledTimes(2);
  // Blocks of 5 | 4 critic steps, where a checkpoint comes between, and the generator's.
  open.mockClear();
  const phases = adversarialPhases(descent(0.01), 5);
  await train(adversarial(descent(0.01), { phases, stepsPerRun: 5, iterations: 120, checkpointEvery: 20 }));
  expect(open).toHaveBeenCalledTimes(2);
  expect(close).toHaveBeenCalledTimes(2);
  vi.restoreAllMocks();
});

test("memory stays as it is over hundreds of steps", async () => {
  const used: number[] = [];
  await train(
    adversarial(adam({ learningRate: 0.001 }), {
      iterations: 900,
      logEvery: 300,
      checkpointEvery: 10_000,
      progress: (event) => void (event.event === "step" && event.iteration % 300 === 0 && used.push(heap())),
    }),
  );
  // The first hundreds warm up; after that, what is reachable is as much as before.
  expect(used.length).toBe(3);
  expect(used[2]! - used[1]!).toBeLessThan(2_000_000);
});

test("a standing is one line", () => {
  const standing = {
    name: "toy",
    iteration: 1200,
    iterations: 5000,
    losses: { "critic/gap": 1, "critic/total": 0.41234, "generator/total": 12.5678 },
    samplesPerSecond: 310.4,
    dataWait: 0.031,
    secondsLeft: 550,
  };
  expect(inWords(standing)).toBe("1200/5000  critic 0.412  generator 12.6  310 samples/s  waits for data 3 %");
  expect(inWords({ ...standing, losses: {}, dataWait: 0 })).toBe("1200/5000  310 samples/s");
});

/** Bytes in use after a collection. */
function heap(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}
