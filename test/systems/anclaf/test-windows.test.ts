import { expect, test } from "vitest";
import { type TestedStep, testWindows } from "../../../src/systems/anclaf/test-windows.ts";
import { outOfTime, type StepOrder } from "../../../src/systems/anclaf/window-batches.ts";
import { predictWindows } from "../../../src/systems/anclaf/window-predictions.ts";
import { cut, memoryReader, type Track } from "./windows.ts";

/** A face is missing where there is a dot. */
const track = (clip: string, faces: string): Track => ({
  clip,
  part: "test",
  values: Array.from(faces, (face, t) => (face === "." ? null : [t])),
  labels: Array.from(faces, (_, t) => [t % 5, t % 3]),
});

// With windows of 4: three windows, the last of which begins before the end of the second; and one with padding.
const tracks = [track("a", "xx.x.xxxx.x"), track("b", ".xx")];
const N = 4;

/** What a model says that counts the faces that it is shown, as a share of 10. */
async function counted(order?: StepOrder): Promise<readonly TestedStep[]> {
  const reader = memoryReader(tracks);
  const predict = (windows: ReturnType<typeof cut>) =>
    predictWindows(windows, {
      reader,
      batch: 2,
      ...(order && { order }),
      run: async ({ present }) => {
        const { data, shape } = present as { data: Uint8Array; shape: readonly [number, number] };
        const affect = new Float32Array(data.length * 2);
        for (let i = 0; i < shape[0]; i++)
          for (let t = 0, shown = 0; t < shape[1]; t++) {
            shown += data[i * N + t]!;
            affect.fill(shown / 10, (i * N + t) * 2, (i * N + t + 1) * 2);
          }
        return { affect: { data: affect, shape: [...shape, 2] } };
      },
    });
  const model = {
    engine: { name: "js", provider: "cpu", why: "" },
    predict,
    async [Symbol.asyncDispose]() {},
  } as const;
  const range = { valence: [-10, 10], arousal: [-10, 10] } as const;
  return (await testWindows(model as Parameters<typeof testWindows>[0], cut(tracks, N), { range })).steps;
}

test("a face's place is counted from the begin of the window that scores it, without missing steps", async () => {
  expect((await counted()).map(({ clip, frame, seen }) => [clip, frame, seen])).toEqual([
    ["a", 0, 1],
    ["a", 1, 2],
    ["a", 3, 3],
    ["a", 5, 1],
    ["a", 6, 2],
    ["a", 7, 3],
    ["a", 8, 2],
    ["a", 10, 3],
    ["b", 1, 1],
    ["b", 2, 2],
  ]);
});

test("it is what the model was shown, in whatever order", async () => {
  const shuffled = await counted(outOfTime(3));
  for (const steps of [await counted(), shuffled])
    for (const { seen, predictedValence } of steps) expect(predictedValence).toBeCloseTo(seen, 5);
  const inTime = (await counted()).map(({ seen }) => seen);
  expect(shuffled.map(({ seen }) => seen)).not.toEqual(inTime);
});
