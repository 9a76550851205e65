import { z } from "zod";
import { openWindowReader, type WindowReader } from "../cache/window-reader.ts";
import { canonical } from "../digest.ts";
import type { Batch, Window } from "../records.ts";
import { defineStage } from "./define.ts";

/**
 * window → batch: the values of windows of one length and shape, read while the batch before them is worked on. What is left
 * at the end makes smaller batches, so that no window is lost.
 */
export default defineStage({
  name: "batch",
  summary: "window* → batches of windows of one length and shape, with their values",
  version: 1,
  takes: "window",
  gives: "batch",
  options: z.strictObject({
    size: z.int().min(1).max(65_536).default(32).describe("windows in a batch; the last of each length may have fewer"),
    ahead: z.int().min(0).max(16).default(2).describe("batches that are read while another is worked on"),
    threads: z.int().min(1).max(64).optional().describe("threads that read; default: half the cores, at most 4"),
    memory: z
      .int()
      .nonnegative()
      .max(3072)
      .default(512)
      .describe("MiB of latents kept in memory as they are stored, so that they are read once"),
  }),
  runtime: ["ahead", "threads", "memory"],
  run: ({ size, ahead, threads, memory }, context) =>
    async function* (windows) {
      const how = { bytes: memory * 2 ** 20, ...(threads !== undefined && { threads }) };
      const reader = await context.shared(`window reader ${canonical(how)}`, () => openWindowReader(how));
      const reading: Promise<Batch>[] = [];
      try {
        for await (const chosen of inGroups(windows, size)) {
          context.signal.throwIfAborted();
          reading.push(batchOf(chosen, reader));
          // Whoever waits for it hears of its failure.
          reading.at(-1)!.catch(() => {});
          if (reading.length > ahead) yield await reading.shift()!;
        }
        while (reading.length > 0) {
          context.signal.throwIfAborted();
          yield await reading.shift()!;
        }
      } finally {
        await Promise.allSettled(reading);
      }
    },
});

/** Windows of one length and shape, `size` at a time in the order they came; at the end those that are left. */
async function* inGroups(windows: AsyncIterable<Window>, size: number): AsyncGenerator<Window[], void, void> {
  const groups = new Map<string, Window[]>();
  for await (const window of windows) {
    const like = `${window.n} of ${window.shape}`;
    const group = groups.get(like) ?? [];
    group.push(window);
    groups.set(like, group);
    if (group.length < size) continue;
    groups.delete(like);
    yield group;
  }
  yield* groups.values();
}

async function batchOf(windows: readonly Window[], reader: WindowReader): Promise<Batch> {
  const { n, shape } = windows[0]!;
  const values = new Float32Array(windows.length * n * shape.reduce((product, m) => product * m, 1));
  await reader.read(windows, values);
  const present = new Uint8Array(windows.length * n);
  const labels = new Float32Array(windows.length * n * 2);
  for (const [i, window] of windows.entries()) {
    present.set(window.present, i * n);
    labels.set(window.labels, i * n * 2);
  }
  return { kind: "batch", windows, n, shape, values, present, labels };
}
