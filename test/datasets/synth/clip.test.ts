import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ClipScript, drawFrame, steady, unsteady } from "../../../src/datasets/synth/clip.ts";
import { encodeMp4, type TimedImage } from "../../../src/datasets/synth/encode.ts";
import { moodOf, through } from "../../../src/datasets/synth/motion.ts";
import { type RenderedFrame, renderClip, svgOf } from "../../../src/datasets/synth/render.ts";
import { readTruth } from "../../../src/datasets/synth/truth.ts";
import { writeClip } from "../../../src/datasets/synth/write.ts";
import { PipeError } from "../../../src/errors.ts";
import { decode } from "../../../src/media/index.ts";
import { seeded } from "../../../src/random.ts";

const SCRIPT: ClipScript = {
  name: "tiny",
  seed: 9,
  width: 160,
  height: 96,
  times: [0, 40_000, 90_000, 100_000, 150_000],
  shots: [
    { start: 0, background: "a", actors: [{ identity: 1, path: [{ at: 0, x: 70, y: 44, width: 40 }], until: 80_000 }] },
    {
      start: 100_000,
      background: "b",
      actors: [2, 3].map((identity) => ({ identity, path: [{ at: 0, x: 40 * identity - 30, y: 44, width: 36 }] })),
    },
  ],
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "synth-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

async function all(script: ClipScript, concurrency: number): Promise<RenderedFrame[]> {
  const frames: RenderedFrame[] = [];
  for await (const frame of renderClip(script, { concurrency })) frames.push(frame);
  return frames;
}

describe("a script", () => {
  test("says who is seen in which shot", () => {
    const seen = SCRIPT.times.map((pts) => drawFrame(SCRIPT, pts));
    expect(seen.map(({ shot }) => shot)).toEqual([0, 0, 0, 1, 1]);
    expect(seen.map(({ truth }) => truth.map(({ identity }) => identity))).toEqual([
      ["1"],
      ["1"],
      [],
      ["2", "3"],
      ["2", "3"],
    ]);
  });

  test("gives the same frame whichever frames were drawn before", () => {
    const alone = svgOf(SCRIPT, drawFrame(SCRIPT, 150_000));
    for (const pts of SCRIPT.times) drawFrame(SCRIPT, pts);
    expect(svgOf(SCRIPT, drawFrame(SCRIPT, 150_000))).toBe(alone);
  });

  test("moves a person the same with and without company", () => {
    const second = SCRIPT.shots[1]!;
    const alone = drawFrame({ ...SCRIPT, shots: [{ ...second, actors: second.actors.slice(1) }] }, 150_000);
    expect(alone.truth[0]).toEqual(drawFrame(SCRIPT, 150_000).truth[1]);
  });
});

describe("rendering", () => {
  test("gives the same pixels however many frames are drawn at a time", async () => {
    const [one, four] = [await all(SCRIPT, 1), await all(SCRIPT, 4)];
    expect(one.map(({ image }) => hash(image.data))).toEqual(four.map(({ image }) => hash(image.data)));
    expect(one.map(({ pts }) => pts)).toEqual(SCRIPT.times);
    expect(one[0]!.image.data.length).toBe(160 * 96 * 3);
    expect(hash(one[0]!.image.data)).not.toBe(hash(one[1]!.image.data));
  });

  test("paints what the whole SVG says, wall and faces together", async () => {
    const { default: sharp } = await import("sharp");
    const svg = Buffer.from(svgOf(SCRIPT, drawFrame(SCRIPT, 150_000)));
    const whole = await sharp(svg).removeAlpha().raw().toBuffer();
    const parts = (await all(SCRIPT, 2)).at(-1)!.image.data;
    const worst = parts.reduce((most, value, i) => Math.max(most, Math.abs(value - whole[i]!)), 0);
    expect(worst).toBeLessThanOrEqual(3);
  });

  test("stops at an abort", async () => {
    const controller = new AbortController();
    const frames = renderClip(SCRIPT, { concurrency: 2, signal: controller.signal });
    await frames.next();
    controller.abort();
    const rest = async () => {
      while (!(await frames.next()).done);
    };
    await expect(rest()).rejects.toThrow(/abort/i);
  });
});

describe("writing", () => {
  test("gives the same bytes each time, and the container's pts are the script's", async () => {
    const [first, second] = [await writeClip(SCRIPT, folder), await writeClip({ ...SCRIPT, name: "again" }, folder)];
    expect(hash(await readFile(second.video))).toBe(hash(await readFile(first.video)));
    const pts: number[] = [];
    const decoding = decode(first.video);
    for await (const frame of decoding) pts.push(frame.pts);
    expect(pts).toEqual(SCRIPT.times);
    expect((await decoding.ending).verdict).toBe("complete");
    expect((await readTruth(first.truth)).frames.map((frame) => frame.pts)).toEqual(pts);
    expect(await readFile(second.labels, "utf8")).toBe(await readFile(first.labels, "utf8"));
    const written = ["again", "tiny"].flatMap((name) => [`${name}.json`, `${name}.labels.csv`, `${name}.mp4`]);
    expect((await readdir(folder)).sort()).toEqual(written);
  });

  test("leaves nothing behind when the frames fail", async () => {
    async function* failing(): AsyncGenerator<TimedImage> {
      yield { pts: 0, image: { width: 160, height: 96, data: new Uint8Array(160 * 96 * 3) } };
      throw new Error("no more frames");
    }
    await expect(encodeMp4(join(folder, "x.mp4"), failing(), SCRIPT)).rejects.toThrow("no more frames");
    expect(await readdir(folder)).toEqual([]);
  });

  test("refuses frames of another size, and a folder that is not there", async () => {
    async function* small(): AsyncGenerator<TimedImage> {
      yield { pts: 0, image: { width: 2, height: 2, data: new Uint8Array(12) } };
    }
    await expect(encodeMp4(join(folder, "x.mp4"), small(), SCRIPT)).rejects.toThrow(
      "A frame of 2×2 came into a video of 160×96.",
    );
    await expect(encodeMp4(join(folder, "none", "x.mp4"), small(), SCRIPT)).rejects.toThrow(PipeError);
    expect(await readdir(folder)).toEqual([]);
  });

  test("a file that is not truth is named in the error", async () => {
    await expect(readTruth(join(folder, "none.json"))).rejects.toThrow(
      /none\.json is not the truth of a rendered clip/,
    );
  });
});

describe("motion", () => {
  test("marks are met, held before and after, and passed without a jump", () => {
    const curve = through([
      { at: 1, value: 2 },
      { at: 3, value: -4 },
      { at: 4, value: 0 },
    ]);
    expect([0, 1, 2, 3, 4, 9].map(curve)).toEqual([2, 2, -1, -4, 0, 0]);
    for (let t = 0; t < 5; t += 0.01) expect(Math.abs(curve(t + 0.01) - curve(t))).toBeLessThan(0.07);
  });

  test("moods stay in −1..1, reach far, and never jump", () => {
    const mood = moodOf(seeded("mood"));
    const path = Array.from({ length: 3000 }, (_, i) => mood(i / 25));
    for (const key of ["valence", "arousal"] as const) {
      const values = path.map((affect) => affect[key]);
      expect(Math.max(...values)).toBeLessThanOrEqual(1);
      expect(Math.max(...values)).toBeGreaterThan(0.8);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(-1);
      expect(Math.min(...values)).toBeLessThan(-0.8);
      expect(Math.max(...values.slice(1).map((value, i) => Math.abs(value - values[i]!)))).toBeLessThan(0.15);
    }
  });

  test("times are whole microseconds and ascend", () => {
    expect(steady(30, 4)).toEqual([0, 33_333, 66_667, 100_000]);
    const times = unsteady("t", 200);
    const steps = times.slice(1).map((pts, i) => pts - times[i]!);
    expect(times[0]).toBe(0);
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(15_000);
    expect(Math.max(...steps)).toBeLessThanOrEqual(80_000);
    expect(new Set(steps).size).toBeGreaterThan(20);
  });
});
