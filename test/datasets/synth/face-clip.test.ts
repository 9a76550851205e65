import { describe, expect, test } from "vitest";
import { type FaceClip, faceClip } from "../../../src/datasets/synth/face-clip.ts";

const SIZE = { width: 192, height: 160, faceWidth: [80, 96], rate: 50 } as const;
const clips = Array.from({ length: 30 }, (_, i) =>
  faceClip({ ...SIZE, seed: `clip ${i}`, actor: `actor ${i}`, frames: 40 }),
);

/** Landmarks in a crop of 128 × 128 that holds their box and an eighth of it on each side. */
function cropped(clip: FaceClip, frame: number): { x(i: number): number; y(i: number): number } {
  const { landmarks } = clip.draw(frame);
  const axis = (offset: 0 | 1) => {
    const values = Array.from({ length: 68 }, (_, i) => landmarks[2 * i + offset]!);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const scale = 128 / (1.25 * (high - low));
    return (i: number) => scale * (values[i]! - low + (high - low) / 8);
  };
  return { x: axis(0), y: axis(1) };
}

const cues: Record<string, (points: ReturnType<typeof cropped>) => number> = {
  "the opening of the mouth": ({ y }) => y(66) - y(62),
  "the slant of the brows": ({ y }) => (y(21) + y(22) - y(17) - y(26)) / 2,
  "the corners of the mouth": ({ y }) => y(51) - (y(48) + y(54)) / 2,
  "the brows above the lids": ({ y }) => y(37) + y(44) - y(19) - y(24),
};

describe("a clip of a face", () => {
  test.each(Object.entries(cues))("moves %s by more than a pixel of the crop in 160 ms", (_, cue) => {
    const moved = clips.flatMap((clip) =>
      [0, 16, 31].map((frame) => Math.abs(cue(cropped(clip, frame + 8)) - cue(cropped(clip, frame)))),
    );
    expect(moved.reduce((sum, pixels) => sum + pixels, 0) / moved.length).toBeGreaterThan(1.2);
  });

  test("keeps the whole face inside the frame", () => {
    for (const clip of clips)
      for (const frame of [0, 20, 39]) {
        const { landmarks } = clip.draw(frame);
        for (const [i, value] of landmarks.entries()) {
          expect(value).toBeGreaterThan(1);
          expect(value).toBeLessThan((i % 2 === 0 ? SIZE.width : SIZE.height) - 1);
        }
      }
  });

  test("draws a frame alike whichever were drawn before, and another person on the same tracks", () => {
    const plan = { ...SIZE, seed: "clip 3", frames: 40 };
    expect(faceClip({ ...plan, actor: "actor 3" }).draw(17)).toEqual(clips[3]!.draw(17));
    expect(faceClip({ ...plan, actor: "actor 4" }).draw(17).svg).not.toBe(clips[3]!.draw(17).svg);
  });

  test("has something in front of it now and then, and says how much that covers", () => {
    const seen = clips.flatMap((clip) => Array.from({ length: 40 }, (_, i) => clip.draw(i)));
    const hidden = seen.filter(({ occluder }) => occluder !== null);
    expect(hidden.length).toBeGreaterThan(0.05 * seen.length);
    expect(hidden.length).toBeLessThan(0.5 * seen.length);
    expect(Math.max(...hidden.map(({ covered }) => covered))).toBeGreaterThan(5);
    expect(seen.every(({ occluder, covered }) => occluder !== null || covered === 0)).toBe(true);
  });
});
