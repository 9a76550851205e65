import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep, setImmediate as tick } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { bytesOf, type Frame } from "../../src/records.ts";
import { looseContext } from "../../src/stages/context.ts";
import { type BoundStage, type Context, defineStage } from "../../src/stages/define.ts";
import { toStream } from "../../src/stages/stream.ts";
import { counted, failing, frame, handles, nested, source, worker } from "./fakes.ts";

afterEach(() => {
  const { open } = handles;
  handles.open = 0;
  expect(open).toBe(0);
});

const shape = fc.record({
  act: fc.constantFrom("pass", "drop-odd", "twice", "batch", "take", "wait", "prefetch"),
  n: fc.integer({ min: 1, max: 5 }),
});
const chain = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 30 }),
  shapes: fc.array(shape, { maxLength: 5 }),
  bound: fc.integer({ min: 1, max: 3000 }),
});

function stagesOf({ sizes, shapes }: { sizes: number[]; shapes: z.infer<typeof worker.options>[] }): BoundStage[] {
  return [source({ sizes }), ...shapes.map((options) => worker(options))] as unknown as BoundStage[];
}

async function run(stages: readonly BoundStage[], bound: number, each: (record: Frame) => unknown = () => {}) {
  const seen: Frame[] = [];
  const context = looseContext();
  const last = new Writable({
    objectMode: true,
    highWaterMark: 1,
    write(record: Frame, _encoding, done) {
      seen.push(record);
      Promise.resolve(each(record)).then(() => done(), done);
    },
  });
  const streams = stages.map((stage) => toStream(stage, context, { bound }));
  await pipeline([...streams, last] as unknown as [Readable, Writable]).finally(() =>
    Promise.all(streams.map((stream) => stream.closed || new Promise((done) => stream.once("close", done)))),
  );
  return { seen, streams };
}

describe("toStream", () => {
  it("gives what nested generators give, whatever the stages, sizes and bound", async () => {
    await fc.assert(
      fc.asyncProperty(chain, async (given) => {
        const stages = stagesOf(given as never);
        const want: Frame[] = [];
        for await (const record of nested(stages, looseContext())) want.push(record);
        const { seen } = await run(stages, given.bound);
        expect(seen.map((record) => record.index)).toEqual(want.map((record) => record.index));
        expect(handles.open).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  it("closes every generator when it is left early, at any point", async () => {
    await fc.assert(
      fc.asyncProperty(chain, fc.integer({ min: 0, max: 12 }), async (given, after) => {
        const stages = stagesOf(given as never);
        let left = after;
        const leaving = run(stages, given.bound, () => {
          if (left-- === 0) throw new Error("enough");
        });
        await leaving.catch((error: Error) => expect(error.message).toBe("enough"));
        expect(handles.open).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  it("rejects with a stage's error wherever it stands and whenever it comes, and closes every generator", async () => {
    const unhandled: unknown[] = [];
    // Nested generators themselves may leave a rejection unhandled where a stage reads ahead; streams must not.
    let streaming = false;
    const note = (reason: unknown) => streaming && unhandled.push(reason);
    process.on("unhandledRejection", note);
    await fc.assert(
      fc.asyncProperty(chain, fc.nat(5), fc.nat(20), async (given, at, n) => {
        const stages = stagesOf(given as never);
        stages.splice(1 + (at % stages.length), 0, failing({ n }) as unknown as BoundStage);
        const want: Frame[] = [];
        const oracle = (async () => {
          for await (const record of nested(stages, looseContext())) want.push(record);
        })();
        const failed = await oracle.then(
          () => false,
          () => true,
        );
        await tick();
        streaming = true;
        // A stream reads ahead, so it may meet an error that nested generators stop short of.
        const running = run(stages, given.bound).then(({ seen }) => seen.length);
        if (failed) await expect(running).rejects.toThrow(`frame ${n} is bad`);
        else expect([want.length, "bad"]).toContain(await running.catch(() => "bad"));
        await tick();
        streaming = false;
        expect(handles.open).toBe(0);
      }),
      { numRuns: 150 },
    );
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });

  it("passes on the first error and closes the rest", async () => {
    const stages = [
      source({ sizes: new Array(50).fill(9) }),
      worker({ act: "batch", n: 3 }),
      failing({ n: 7 }),
      worker({ act: "wait", n: 1 }),
    ] as unknown as BoundStage[];
    await expect(run(stages, 100)).rejects.toThrow(new RangeError("frame 7 is bad"));
  });

  it("never tells a stage that a broken input has ended", async () => {
    let ended = false;
    const publish = defineStage({
      name: "publish",
      summary: "ends well only if its input does",
      version: 1,
      takes: "frame",
      gives: "frame",
      options: z.strictObject({}),
      run: () => (frames) =>
        counted(async function* () {
          for await (const record of frames) yield record;
          ended = true;
        }),
    });
    const stages = [source({ sizes: [3, 3, 3] }), failing({ n: 1 }), publish({})] as unknown as BoundStage[];
    await expect(run(stages, 100)).rejects.toThrow("frame 1 is bad");
    expect(ended).toBe(false);
  });

  it("keeps the bytes before a slow stage within the bound and two records, and fills them meanwhile", async () => {
    const size = 1000;
    const [bound, each] = [10_000, bytesOf(frame(0, size))];
    let given = 0;
    let taken = 0;
    let most = 0;
    const stages = [source({ sizes: new Array(60).fill(size) }), worker({ act: "pass", n: 1 })];
    const context = looseContext();
    const streams = [
      toStream(stages[0] as never, context, {
        tap: () => {
          given += each;
          most = Math.max(most, given - taken);
        },
      }),
      toStream(stages[1] as never, context, { bound }),
    ];
    const slow = new Writable({
      objectMode: true,
      highWaterMark: 1,
      write(_record, _encoding, done) {
        taken += each;
        setTimeout(done, 2);
      },
    });
    await pipeline([...streams, slow] as unknown as [Readable, Writable]);
    expect(given).toBe(60 * each);
    // Waiting behind the stage, in its own readable side and in the writer: two more.
    expect(most).toBeLessThanOrEqual(bound + 4 * each);
    expect(most).toBeGreaterThanOrEqual(bound);
  });

  it("lets a record through that is larger than the bound", async () => {
    const { seen } = await run([source({ sizes: [5000, 5000] }), worker({ act: "pass", n: 1 })] as never, 10);
    expect(seen).toHaveLength(2);
  });

  it("lets stages overlap: the source runs on while the next stage waits", async () => {
    const events: string[] = [];
    const patient = defineStage({
      name: "patient",
      summary: "waits on its first frame until the source is done",
      version: 1,
      takes: "frame",
      gives: "frame",
      options: z.strictObject({}),
      run: () => (frames) =>
        counted(async function* () {
          for await (const record of frames) {
            while (record.index === 0 && events.length < 20) await sleep(1);
            yield record;
          }
        }),
    });
    const context = looseContext();
    const first = toStream(source({ sizes: new Array(20).fill(3) }), context, { tap: () => events.push("given") });
    const seen: Frame[] = [];
    for await (const record of first.pipe(toStream(patient({}), context))) seen.push(record as Frame);
    expect(seen).toHaveLength(20);
  });

  it("stops a source without end when the stage after it wants no more", async () => {
    const endless = defineStage({
      name: "endless",
      summary: "frames for ever",
      version: 1,
      takes: "none",
      gives: "frame",
      options: z.strictObject({}),
      run: () => () =>
        counted(async function* () {
          for (let index = 0; ; index++) {
            yield frame(index);
            await tick();
          }
        }),
    });
    const { seen } = await run(
      [endless({}), worker({ act: "pass", n: 1 }), worker({ act: "take", n: 4 })] as never,
      99,
    );
    expect(seen.map((record) => record.index)).toEqual([0, 1, 2, 3]);
  });

  it("closes on abort, with the stage's signal aborted while it waits", async () => {
    const controller = new AbortController();
    let told = false;
    const waiting = defineStage({
      name: "waiting",
      summary: "waits for ever on something that heeds the signal",
      version: 1,
      takes: "frame",
      gives: "frame",
      options: z.strictObject({}),
      run: (_options, context: Context) => (frames) =>
        counted(async function* () {
          for await (const record of frames) {
            await sleep(1e6, undefined, { signal: context.signal }).finally(() => {
              told = context.signal.aborted;
            });
            yield record;
          }
        }),
    });
    const context = looseContext({ signal: controller.signal });
    const streams = [source({ sizes: [3] }), waiting({})].map((stage) => toStream(stage as never, context));
    const done = pipeline([...streams, new Writable({ objectMode: true, write: (_r, _e, ok) => ok() })] as never);
    setTimeout(() => controller.abort(new Error("stopped by hand")), 5);
    await expect(done).rejects.toThrow("stopped by hand");
    await Promise.all(streams.map((stream) => stream.closed || new Promise((ok) => stream.once("close", ok))));
    expect(told).toBe(true);
  });

  it("counts a stage's own time, not its waiting", async () => {
    const slow = defineStage({
      name: "slow",
      summary: "40 ms a frame",
      version: 1,
      takes: "frame",
      gives: "frame",
      options: z.strictObject({}),
      run: () => (frames) =>
        counted(async function* () {
          for await (const record of frames) {
            await sleep(40);
            yield record;
          }
        }),
    });
    const { streams } = await run(
      [source({ sizes: [3, 3, 3] }), slow({}), worker({ act: "pass", n: 1 })] as never,
      999,
    );
    const [first, second, third] = streams.map((stream) => stream.busySeconds);
    expect(second! / (first! + third! + 1e-3)).toBeGreaterThan(3);
  });

  it("reads from any object-mode stream and, as a sink, may stand last with nobody reading", async () => {
    let published = 0;
    const sink = defineStage({
      name: "sink",
      summary: "frame* → one artifact",
      version: 1,
      takes: "frame",
      gives: "artifact",
      options: z.strictObject({}),
      run: () => (frames) =>
        counted(async function* () {
          let bytes = 0;
          for await (const record of frames) bytes += record.image.data.length;
          await sleep(5);
          published = bytes;
          yield { kind: "artifact", path: "/nowhere", bytes };
        }),
    });
    await pipeline(Readable.from([frame(0, 6), frame(1, 9)]), toStream(sink({})));
    expect(published).toBe(15);
  });

  it("disposes a context that it made itself, and says what a source needs", async () => {
    let open = 0;
    const sharing = defineStage({
      name: "sharing",
      summary: "opens something shared",
      version: 1,
      takes: "frame",
      gives: "frame",
      options: z.strictObject({}),
      run: (_options, context) => (frames) =>
        counted(async function* () {
          await context.shared("it", () => {
            open += 1;
            return {
              [Symbol.asyncDispose]: async () => {
                open -= 1;
              },
            };
          });
          expect(() => context.source).toThrow("the context names none");
          yield* frames;
        }),
    });
    const seen = await Readable.from([frame(0)])
      .pipe(toStream(sharing({})))
      .toArray();
    expect(seen).toHaveLength(1);
    await tick();
    expect(open).toBe(0);
  });
});
