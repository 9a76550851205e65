import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import type { Crop, Frame } from "../../src/records.ts";
import type { Detection, Detector } from "../../src/vision/detector.ts";
import type { FaceMesh } from "../../src/vision/facemesh.ts";
import { cropSubjects, type SubjectOptions } from "../../src/vision/subjects.ts";

const WIDTH = 60;
const HEIGHT = 40;
const options: SubjectOptions = {
  minScore: 0.5,
  minSize: 4,
  margin: 0,
  size: 5,
  batch: 3,
  shotRatio: 3,
  maxGap: 1,
};

/** A frame of one grey, with what the fake detector will find in it. */
interface Scene {
  readonly grey?: number;
  readonly found: readonly Detection[];
}
const at = (x: number, score = 0.9, side = 10): Detection => ({
  box: { x, y: 5, width: side, height: side },
  score,
  landmarks: Float32Array.of(x, 5),
});

function fake(scenes: readonly Scene[], fail = -1) {
  const state = { batches: [] as number[], sources: 0, closed: 0 };
  const detector: Detector = {
    name: "fake",
    digest: "",
    engine: null,
    prepare: async (input) => {
      const { width, height } = input;
      return { input, scaleX: 1, scaleY: 1, dx: 0, dy: 0, shown: { x: 0, y: 0, width, height } };
    },
    async infer(prepared) {
      state.batches.push(prepared.length);
      await sleep(prepared.length % 3);
      return prepared.map(({ input }) => {
        const index = input.data[1]! * 256 + input.data[2]!;
        if (index === fail) throw new RangeError("no idea");
        return [...scenes[index]!.found];
      });
    },
    async [Symbol.asyncDispose]() {},
  };
  async function* frames(): AsyncGenerator<Frame> {
    try {
      for (const [index, { grey = 100 }] of scenes.entries()) {
        const data = new Uint8Array(WIDTH * HEIGHT * 3).fill(grey);
        // The frame's number hides in a pixel that no thumbnail's mean can notice.
        data[1] = index >> 8;
        data[2] = index & 255;
        state.sources++;
        yield { kind: "frame", index, pts: index * 40_000, image: { width: WIDTH, height: HEIGHT, data } };
      }
    } finally {
      state.closed++;
    }
  }
  return { detector, frames, state };
}

/** A mesh that is as sure of a face as its box is high, in thousandths. */
const mesh: FaceMesh = {
  name: "fake mesh",
  digest: "",
  prepare: async (input, box) => ({ box, input }),
  look: async (squares) =>
    squares.map(({ box }) => ({ presence: box.height / 1000, landmarks: Float32Array.of(1, 1, 9, 21) })),
  async [Symbol.asyncDispose]() {},
};

async function run(scenes: readonly Scene[], changed: Partial<SubjectOptions> = {}, withMesh = false) {
  const { detector, frames, state } = fake(scenes);
  const ledger = new Ledger();
  const context = { ledger, signal: new AbortController().signal };
  const crops: Crop[] = [];
  const networks = { detector, ...(withMesh && { mesh }) };
  for await (const crop of cropSubjects(frames(), networks, { ...options, ...changed }, context)) crops.push(crop);
  expect(state.closed).toBe(1);
  return { crops, ledger, state };
}
const brief = (crops: readonly Crop[]) => crops.map(({ index, track, status, shot }) => [index, track, status, shot]);

describe("cropSubjects", () => {
  test("nothing in, nothing out", async () => {
    const { crops, ledger, state } = await run([]);
    expect(crops).toEqual([]);
    expect(ledger.counts.extra).toBe(0);
    expect(state.batches).toEqual([]);
  });

  test("one frame with one face: its pixels, its box, its track", async () => {
    const { crops } = await run([{ grey: 77, found: [at(20)] }]);
    expect(crops).toEqual([
      {
        kind: "crop",
        index: 0,
        pts: 0,
        status: "ok",
        track: 0,
        shot: 0,
        box: { x: 20, y: 5, width: 10, height: 10 },
        score: 0.9,
        landmarks: Float32Array.of(20, 5),
        image: { width: 5, height: 5, data: new Uint8Array(75).fill(77) },
        frame: { width: WIDTH, height: HEIGHT },
      },
    ]);
  });

  test("every status; rows by frame, then track; extra rows in the ledger, rows left to the sink", async () => {
    const { crops, ledger } = await run([
      { found: [] },
      { found: [at(5, 0.3), at(30, 0.4)] },
      { found: [at(45, 0.8, 3), at(5), at(20)] },
      { found: [at(20, 0.4), at(5)] },
      { found: [at(70)] },
    ]);
    expect(brief(crops)).toEqual([
      [0, -1, "no_face", 0],
      [1, -1, "low_score", 0],
      [2, 0, "ok", 0],
      [2, 1, "ok", 0],
      [2, 2, "too_small", 0],
      [3, 0, "ok", 0],
      [3, 1, "low_score", 0],
      [4, -1, "no_face", 0],
    ]);
    expect(crops[1]).toMatchObject({ score: 0.4, box: { x: 30 } });
    for (const { status, image } of crops) expect(image === null).toBe(status !== "ok");
    expect(ledger.counts.extra).toBe(3);
    expect(Object.values(ledger.counts.rows).every((n) => n === 0)).toBe(true);
  });

  test("of more than `most`, those tracked longest are kept, and what is cut goes before what is not", async () => {
    const { crops } = await run([{ found: [at(5)] }, { found: [at(5, 0.9, 3), at(20, 0.7), at(40, 0.99)] }], {
      most: 1,
    });
    expect(brief(crops)).toEqual([
      [0, 0, "ok", 0],
      [1, 1, "ok", 0],
    ]);
  });

  test("where the mesh sees no face the row says so, keeps its track, and makes room for a face", async () => {
    const presence = { minPresence: 0.2 };
    const scenes = [
      { found: [at(0, 0.9, 10), at(30, 0.9, 25)] },
      { found: [at(0, 0.9, 10), at(30, 0.3, 25)] },
      { found: [at(0, 0.9, 10), at(30, 0.9, 24)] },
    ].map((scene) => ({ found: scene.found.map((one) => ({ ...one, box: { ...one.box, width: 50 } })) }));
    const { crops } = await run(scenes, presence, true);
    expect(crops.map(({ track, status, presence }) => [track, status, presence])).toEqual([
      [0, "ok", 0.025],
      [1, "low_presence", 0.01],
      [0, "low_score", undefined],
      [1, "low_presence", 0.01],
      [0, "ok", 0.024],
      [1, "low_presence", 0.01],
    ]);
    const { crops: one } = await run(scenes, { ...presence, most: 1 }, true);
    expect(one.map(({ track, status }) => [track, status])).toEqual([
      [0, "ok"],
      [0, "low_score"],
      [0, "ok"],
    ]);
  });

  test("by landmarks, the mesh's points are cut and carried; else the detector's", async () => {
    const scenes = [{ found: [at(20)] }];
    const [meshed] = (await run(scenes, { byLandmarks: true }, true)).crops;
    expect([...meshed!.landmarks!]).toEqual([1, 1, 9, 21]);
    const [boxed] = (await run(scenes, {}, true)).crops;
    expect([...boxed!.landmarks!]).toEqual([20, 5]);
    for (const { presence } of [meshed!, boxed!]) expect(presence).toBe(0.01);
  });

  test("a cut ends every track, a flash none", async () => {
    const { crops } = await run([
      { found: [at(5)] },
      { grey: 250, found: [at(5)] },
      ...Array.from({ length: 8 }, () => ({ found: [at(5)] })),
      ...Array.from({ length: 3 }, () => ({ grey: 10, found: [at(5)] })),
    ]);
    expect(crops.map(({ track }) => track)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
    expect(crops.map(({ shot }) => shot)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
  });

  test("the batch size changes nothing", async () => {
    const detection = fc
      .tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 20, max: 99 }))
      .map(([x, score]) => at(x, score / 100));
    const scene = fc.record({ grey: fc.constantFrom(90, 100, 200), found: fc.array(detection, { maxLength: 3 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(scene, { maxLength: 9 }), async (scenes) => {
        const { crops } = await run(scenes, { batch: 1 });
        for (const batch of [2, 4, 9]) expect((await run(scenes, { batch })).crops).toEqual(crops);
      }),
      { numRuns: 15 },
    );
  });

  test("a failing detector comes through and closes the source", async () => {
    const { detector, frames, state } = fake(
      Array.from({ length: 20 }, () => ({ found: [] })),
      4,
    );
    const context = { ledger: new Ledger(), signal: new AbortController().signal };
    const seen: number[] = [];
    const loop = async () => {
      for await (const { index } of cropSubjects(frames(), { detector }, options, context)) seen.push(index);
    };
    await expect(loop()).rejects.toThrow("no idea");
    expect(seen).toEqual([0, 1, 2]);
    expect(state.closed).toBe(1);
  });

  test("reads a bounded number of frames ahead, and stops when its reader does", async () => {
    const { detector, frames, state } = fake(Array.from({ length: 200 }, () => ({ found: [] })));
    const context = { ledger: new Ledger(), signal: new AbortController().signal };
    for await (const { index } of cropSubjects(frames(), { detector }, options, context)) {
      await sleep(1);
      expect(state.sources - index).toBeLessThanOrEqual(5 * options.batch + 5);
      if (index === 30) break;
    }
    expect(state.closed).toBe(1);
  });

  test("an abort stops it and closes the source", async () => {
    const { detector, frames, state } = fake(Array.from({ length: 200 }, () => ({ found: [] })));
    const stop = new AbortController();
    const loop = async () => {
      const context = { ledger: new Ledger(), signal: stop.signal };
      for await (const { index } of cropSubjects(frames(), { detector }, options, context))
        if (index === 7) stop.abort(new RangeError("stopped"));
    };
    await expect(loop()).rejects.toThrow("stopped");
    expect(state.closed).toBe(1);
  });
});
