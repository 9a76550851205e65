import { setImmediate as tick } from "node:timers/promises";
import { z } from "zod";
import type { Frame } from "../../src/records.ts";
import { type BoundStage, defineStage } from "../../src/stages/define.ts";

export function frame(index: number, bytes = 3): Frame {
  return {
    kind: "frame",
    index,
    pts: index * 40_000,
    image: { width: bytes / 3, height: 1, data: new Uint8Array(bytes) },
  };
}

/** Counts generators that have begun and not ended: zero when everything is closed. */
export const handles = { open: 0 };

export async function* counted<T>(body: () => AsyncGenerator<T, void, void>): AsyncGenerator<T, void, void> {
  handles.open += 1;
  try {
    yield* body();
  } finally {
    // Closing takes time in real stages; a stream that does not wait for it shows here.
    await tick();
    handles.open -= 1;
  }
}

export const source = defineStage({
  name: "count",
  summary: "frames 0, 1, 2 … of given sizes",
  version: 1,
  takes: "none",
  gives: "frame",
  options: z.strictObject({ sizes: z.array(z.int()) }),
  run:
    ({ sizes }) =>
    () =>
      counted(async function* () {
        for (const [index, size] of sizes.entries()) yield frame(index, size);
      }),
});

export interface Shape {
  /** What it does with each record. */
  act: "pass" | "drop-odd" | "twice" | "batch" | "take" | "wait" | "prefetch";
  n: number;
}

export const worker = defineStage({
  name: "work",
  summary: "frame* → frame* in one of many ways",
  version: 1,
  takes: "frame",
  gives: "frame",
  options: z.strictObject({
    act: z.enum(["pass", "drop-odd", "twice", "batch", "take", "wait", "prefetch"]),
    n: z.int(),
  }),
  run:
    ({ act, n }) =>
    (frames) =>
      counted(async function* () {
        if (act === "prefetch") {
          const iterator = frames[Symbol.asyncIterator]();
          const pending = Array.from({ length: n }, () => iterator.next());
          try {
            for (let next = await pending.shift(); next && !next.done; next = await pending.shift()) {
              pending.push(iterator.next());
              yield next.value;
            }
          } finally {
            await Promise.allSettled(pending);
            await iterator.return?.();
          }
          return;
        }
        let held: Frame[] = [];
        let taken = 0;
        if (act === "take" && n === 0) return;
        for await (const record of frames) {
          if (act === "wait") await tick();
          if (act === "drop-odd" && record.index % 2) continue;
          if (act === "batch") {
            held.push(record);
            if (held.length < n) continue;
            yield* held;
            held = [];
            continue;
          }
          yield record;
          if (act === "twice") yield record;
          if (act === "take" && ++taken >= n) return;
        }
        yield* held;
      }),
});

export const failing = defineStage({
  name: "fail",
  summary: "frame* → an error at the n-th frame",
  version: 1,
  takes: "frame",
  gives: "frame",
  options: z.strictObject({ n: z.int() }),
  run:
    ({ n }) =>
    (frames) =>
      counted(async function* () {
        let seen = 0;
        for await (const record of frames) {
          if (seen++ === n) throw new RangeError(`frame ${n} is bad`);
          yield record;
        }
      }),
});

/** The oracle: stages as nested generators, no streams. */
export function nested(stages: readonly BoundStage[], context: Parameters<BoundStage["run"]>[0]) {
  let records: AsyncIterable<never> = (async function* () {})();
  for (const stage of stages) records = stage.run(context)(records) as unknown as AsyncIterable<never>;
  return records as unknown as AsyncGenerator<Frame, void, void>;
}
