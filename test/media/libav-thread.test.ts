import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { decode, probe } from "../../src/media/index.ts";
import { LibavThread } from "../../src/media/libav-thread.ts";
import type { DecodeOptions } from "../../src/media/types.ts";
import { hear } from "./clips.ts";
import { belongings, expectNothingLeft } from "./leaks.ts";

const workers = vi.hoisted(() => [] as Worker[]);
vi.mock("../../src/worker.ts", async (original) => {
  const { startWorker } = await original<typeof import("../../src/worker.ts")>();
  return {
    startWorker: (...given: Parameters<typeof startWorker>) => {
      const worker = startWorker(...given);
      workers.push(worker);
      return worker;
    },
  };
});

const folder = mkdtempSync(join(tmpdir(), "threads-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const sample = join(import.meta.dirname, "../../data/samples/one-face.mp4");
const range: DecodeOptions = { decoder: "libav", end: 0.5 };
const alive = () => workers.filter(({ threadId }) => threadId !== -1).length;

/** Ends all threads, which must be idle, so that the next is a new one: the last of `workers`. */
async function endIdle(kill: (worker: Worker) => void): Promise<void> {
  const idle = workers.filter(({ threadId }) => threadId !== -1);
  const gone = Promise.all(idle.map((worker) => new Promise((done) => worker.once("exit", done))));
  for (const worker of idle) kill(worker);
  await gone;
  expect(LibavThread.idle).toBe(0);
}

let digests: readonly string[];
const digestsNow = async () => (await hear(sample, range)).frames.map(({ digest }) => digest);
beforeAll(async () => {
  digests = await digestsNow();
  expect(new Set(digests).size).toBeGreaterThan(5);
});

describe("a thread is used again", () => {
  const take = vi.spyOn(LibavThread, "take");
  beforeEach(() => void take.mockClear());
  const taken = () => take.mock.results.map(({ value }) => value as LibavThread);

  it("after the end, a refusal, a question, a break and a consumer's error, and frames stay what they were", async () => {
    const text = join(folder, "text.mp4");
    writeFileSync(text, "no video. ".repeat(999));
    const before = belongings();
    await hear(sample, range);
    await expect(hear(text, range)).rejects.toThrow(/cannot be opened as a video/);
    await probe(sample, range);
    for await (const { index } of decode(sample, { decoder: "libav" })) if (index === 3) break;
    const failing = async () => {
      for await (const _ of decode(sample, { decoder: "libav" })) throw new RangeError("mine");
    };
    await expect(failing()).rejects.toThrow("mine");
    expect(await digestsNow()).toEqual(digests);
    expect(new Set(taken()).size).toBe(1);
    expect(taken()).toHaveLength(6);
    await expectNothingLeft(before);
  });

  it.each([
    ["abort", () => ({ signal: AbortSignal.timeout(40) })],
    ["the wall clock", () => ({ timeout: 0.04 })],
  ] as const)("but not after %s", async (_, limit) => {
    const before = belongings();
    const slow = async () => {
      for await (const _ of decode(sample, { decoder: "libav", ...limit() })) await sleep(20);
    };
    await expect(slow()).rejects.toThrow(/timeout|longer than/);
    expect(await digestsNow()).toEqual(digests);
    const [first, second] = taken();
    expect(second).not.toBe(first);
    await expectNothingLeft(before);
  });

  it("but not when it ended or failed, waiting or at work, which is said", async () => {
    for (const kill of [(worker: Worker) => worker.terminate(), (worker: Worker) => worker.postMessage(null)]) {
      await hear(sample, range);
      await endIdle(kill);
      expect(await digestsNow()).toEqual(digests);

      const working = workers.at(-1)!;
      const interrupted = async () => {
        for await (const { index } of decode(sample, { decoder: "libav" })) {
          if (index === 1) kill(working);
          await sleep(5);
        }
      };
      // The frames that were sent before are still given; the rest is missed.
      await expect(interrupted()).rejects.toThrow(/ended without a word|Cannot read properties of null/);
      expect(await digestsNow()).toEqual(digests);
    }
  });
});

it("many at a time give what each gives alone, and few threads stay", async () => {
  const before = belongings();
  const all = await Promise.all(Array.from({ length: 7 }, digestsNow));
  for (const each of all) expect(each).toEqual(digests);
  await vi.waitFor(() => expect(alive()).toBe(LibavThread.idle), { timeout: 5000 });
  expect(LibavThread.idle).toBeLessThan(7);
  await expectNothingLeft(before);
});

it("a thread that hangs in a system call is left behind, and the next video gets another", async () => {
  const path = join(folder, "silent.mp4");
  execFileSync("mkfifo", [path]);
  const writer = await open(path, "r+");
  await using reader = await open(path, "r");
  await endIdle((worker) => worker.terminate());
  const thread = LibavThread.take();
  const stuck = workers.at(-1)!;
  const shared = new SharedArrayBuffer(12);
  thread.begin({ task: "probe", path, fd: reader.fd, maxPixels: 1e6, threads: 1, budget: 1e6, shared });
  await sleep(100);
  await thread.discard();
  expect(await digestsNow()).toEqual(digests);
  const left = new Promise((done) => stuck.once("exit", done));
  // The end of the pipe is the end of the waiting.
  await writer.close();
  await left;
}, 20_000);
