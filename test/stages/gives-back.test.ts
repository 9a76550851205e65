import { createHash } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { digestFile, digestOf } from "../../src/digest.ts";
import type { Task } from "../../src/pipelines/plan.ts";
import { runTask } from "../../src/pipelines/task.ts";
import type { AnyRecord, Crop, Frame } from "../../src/records.ts";
import { looseContext, SharedPool } from "../../src/stages/context.ts";
import cropFaces from "../../src/stages/crop-faces.ts";
import { defineStage, type Stages } from "../../src/stages/define.ts";
import extractFrames from "../../src/stages/extract-frames.ts";

const path = join(import.meta.dirname, "../../data/samples/two-faces.mp4");
const source = async () => ({ path, name: "two", bytes: 1, digest: await digestFile(path) });
const rowOf = ({ image, ...row }: Crop) => ({
  ...row,
  image: image && createHash("sha256").update(image.data).digest("hex"),
});

const pass = defineStage({
  name: "pass",
  summary: "frame* → the same frame*",
  version: 1,
  takes: "frame",
  gives: "frame",
  options: z.strictObject({}),
  run: () => (frames) =>
    (async function* () {
      yield* frames;
    })(),
});

const count = defineStage({
  name: "count",
  summary: "crop* → nothing to speak of",
  version: 1,
  takes: "crop",
  gives: "artifact",
  options: z.strictObject({}),
  run: (_, { ledger }) =>
    async function* (crops) {
      for await (const { status } of crops) ledger.row(status);
      yield { kind: "artifact", path: "/nothing", bytes: 0 };
    },
});

const stages = { "extract-frames": extractFrames, "crop-faces": cropFaces, pass, count } as unknown as Stages;

/** The frames and crops of one task, as they are after its end. */
async function through(...names: string[]): Promise<{ frames: Frame[]; crops: ReturnType<typeof rowOf>[] }> {
  const options = { "extract-frames": { input: [path], end: 1, decoder: "auto" } } as Record<string, object>;
  const steps = names.map((stage) => ({
    stage,
    options: stage === "crop-faces" ? cropFaces({}).options : (options[stage] ?? {}),
    key: digestOf(stage),
    parts: [],
  }));
  const records: AnyRecord[] = [];
  await using pool = new SharedPool();
  const { signal } = new AbortController();
  const outcome = await runTask({ source: await source(), steps } as unknown as Task, {
    stages,
    pool,
    signal,
    drain: signal,
    note() {},
    tap: (record) => records.push(record),
  });
  expect(outcome.reason).toBeUndefined();
  const frames = [...new Set(records.filter((record) => record.kind === "frame"))];
  return { frames, crops: records.filter((record) => record.kind === "crop").map(rowOf) };
}

test("frames go back to the decoder where the crop stage alone reads them, and crops are the same as ever", async () => {
  await using context = looseContext({ source: await source() });
  const kept: Frame[] = [];
  const frames = async function* () {
    for await (const frame of extractFrames({ input: [path], end: 1 }).run(context)(none())) {
      kept.push(frame);
      yield frame;
    }
  };
  const expected = [];
  for await (const crop of cropFaces({}).run(context)(frames())) expected.push(rowOf(crop));
  expect(expected.filter(({ status }) => status === "ok").length).toBeGreaterThan(20);
  const pixels = ({ image }: Frame) => image.width * image.height * 3;
  for (const frame of kept) expect(frame.image.data).toHaveLength(pixels(frame));

  const lent = await through("extract-frames", "crop-faces", "count");
  expect(lent.crops).toEqual(expected);
  expect(lent.frames).toHaveLength(kept.length);
  for (const { image } of lent.frames) expect(image.data).toHaveLength(0);

  // A stage between them may want its frames for longer.
  const between = await through("extract-frames", "pass", "crop-faces", "count");
  expect(between.crops).toEqual(expected);
  for (const frame of between.frames) expect(frame.image.data).toHaveLength(pixels(frame));
});

async function* none(): AsyncGenerator<never> {}
