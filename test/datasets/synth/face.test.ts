import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Affect, expressionOf, type Pose } from "../../../src/datasets/synth/expression.ts";
import { type DrawnFace, drawFace } from "../../../src/datasets/synth/face.ts";
import { identityOf } from "../../../src/datasets/synth/identity.ts";
import { pair } from "../../../src/datasets/synth/svg.ts";

const FRONT: Pose = { yaw: 0, pitch: 0, roll: 0 };
const PLACE = { x: 160, y: 120, width: 110 };

const draw = (seed: number, affect: Affect, { blink = 0, pose = FRONT } = {}) =>
  drawFace(identityOf(seed), expressionOf(affect, blink), pose, PLACE);
const x = (face: DrawnFace, landmark: number) => face.landmarks[2 * landmark]!;
const y = (face: DrawnFace, landmark: number) => face.landmarks[2 * landmark + 1]!;

/** How far the corners stand above the middle of the upper lip's lower edge, pixels. */
const smile = (face: DrawnFace) => y(face, 62) - (y(face, 48) + y(face, 54)) / 2;
const mouthGap = (face: DrawnFace) => y(face, 66) - y(face, 62);
const eyeGap = (face: DrawnFace) => y(face, 41) - y(face, 37) + y(face, 47) - y(face, 43);

const level = fc.double({ min: -1, max: 1, noNaN: true });
const rising = fc
  .tuple(level, level)
  .filter(([low, high]) => high - low > 0.01)
  .map(([low, high]) => [low, high] as const);
const seed = fc.integer({ min: 0, max: 10_000 });

describe("affect", () => {
  test("valence lifts the corners of the mouth, at any arousal, on any face", () => {
    fc.assert(
      fc.property(seed, level, rising, (person, arousal, [low, high]) => {
        expect(smile(draw(person, { valence: high, arousal }))).toBeGreaterThan(
          smile(draw(person, { valence: low, arousal })),
        );
      }),
    );
  });

  test("arousal opens mouth and eyes, at any valence, on any face", () => {
    fc.assert(
      fc.property(seed, level, rising, (person, valence, [low, high]) => {
        const [calm, lively] = [draw(person, { valence, arousal: low }), draw(person, { valence, arousal: high })];
        expect(mouthGap(lively)).toBeGreaterThan(mouthGap(calm));
        expect(eyeGap(lively)).toBeGreaterThan(eyeGap(calm));
      }),
    );
  });

  test("displeasure lowers the brows' inner ends when aroused and raises them when calm", () => {
    const slope = (face: DrawnFace) => y(face, 17) + y(face, 26) - y(face, 21) - y(face, 22);
    const neutral = slope(draw(1, { valence: 0, arousal: 0.8 }));
    expect(slope(draw(1, { valence: -0.9, arousal: 0.8 }))).toBeLessThan(neutral);
    expect(slope(draw(1, { valence: -0.9, arousal: -0.8 }))).toBeGreaterThan(neutral);
  });

  test("a blink closes the eyes and leaves the mouth", () => {
    const [open, shut] = [0, 1].map((blink) => draw(2, { valence: 0.2, arousal: 0.3 }, { blink }));
    expect(eyeGap(shut!)).toBeLessThan(0.2 * eyeGap(open!));
    expect(mouthGap(shut!)).toBe(mouthGap(open!));
  });
});

describe("landmarks", () => {
  test("are where the parts are drawn", () => {
    fc.assert(
      fc.property(
        seed,
        level,
        level,
        fc.double({ min: -0.3, max: 0.3, noNaN: true }),
        (person, valence, arousal, yaw) => {
          const face = draw(person, { valence, arousal }, { pose: { yaw, pitch: 0.05, roll: -0.1 } });
          const numbers = [...face.svg.matchAll(/-?\d+(?:\.\d+)? -?\d+(?:\.\d+)?/g)].map(([text]) =>
            text.split(" ").map(Number),
          );
          // The bridge of the nose (28) is shading without an edge of its own.
          for (let i = 0; i < 68; i++)
            if (i !== 28)
              expect(
                numbers.some(([px, py]) => Math.hypot(px! - x(face, i), py! - y(face, i)) < 0.02),
                `landmark ${i}`,
              ).toBe(true);
        },
      ),
      { numRuns: 20 },
    );
  });

  test("keep their order: jaw from left to right, chin lowest, brows above eyes above nose above mouth", () => {
    fc.assert(
      fc.property(seed, level, level, (person, valence, arousal) => {
        const face = draw(person, { valence, arousal });
        for (let i = 1; i < 17; i++) expect(x(face, i)).toBeGreaterThan(x(face, i - 1));
        for (let i = 17; i < 68; i++) expect(y(face, i)).toBeLessThan(y(face, 8));
        expect(Math.max(...[17, 19, 21, 22, 24, 26].map((i) => y(face, i)))).toBeLessThan(
          Math.min(y(face, 37), y(face, 44)),
        );
        expect(y(face, 41)).toBeLessThan(y(face, 33));
        expect(y(face, 33)).toBeLessThan(y(face, 51));
      }),
    );
  });

  test("lie in the box, and touch all of its sides", () => {
    const face = draw(7, { valence: 0.5, arousal: 0.9 }, { pose: { yaw: 0.2, pitch: 0.1, roll: 0.2 } });
    const xs = Array.from({ length: 68 }, (_, i) => x(face, i));
    const ys = Array.from({ length: 68 }, (_, i) => y(face, i));
    expect(Math.min(...xs)).toBeCloseTo(face.box.x, 3);
    expect(Math.max(...xs)).toBeCloseTo(face.box.x + face.box.width, 3);
    expect(Math.min(...ys)).toBeCloseTo(face.box.y, 3);
    expect(Math.max(...ys)).toBeCloseTo(face.box.y + face.box.height, 3);
  });

  test("turn with the head: the tip of the nose goes right with yaw, down with pitch, aside with roll", () => {
    const at = (pose: Partial<Pose>) => draw(3, { valence: 0, arousal: 0 }, { pose: { ...FRONT, ...pose } });
    expect(x(at({ yaw: 0.2 }), 30)).toBeGreaterThan(x(at({}), 30) + 5);
    expect(y(at({ pitch: 0.1 }), 30)).toBeGreaterThan(y(at({}), 30) + 2);
    expect(x(at({ roll: 0.2 }), 8)).toBeLessThan(x(at({}), 8) - 5);
  });
});

describe("a drawing", () => {
  test("is the same text for the same seed and another for another", () => {
    const affect = { valence: 0.3, arousal: -0.2 };
    expect(draw(5, affect).svg).toBe(draw(5, affect).svg);
    expect(draw(6, affect).svg).not.toBe(draw(5, affect).svg);
  });

  test("is finite whatever the person", () => {
    fc.assert(
      fc.property(seed, level, level, (person, valence, arousal) => {
        expect(draw(person, { valence, arousal }, { blink: 1 }).svg).not.toMatch(/NaN|Infinity|undefined/);
      }),
    );
  });

  test("scales and moves with its placement", () => {
    const expression = expressionOf({ valence: 0, arousal: 0 });
    const near = drawFace(identityOf(1), expression, FRONT, { x: 20, y: 30, width: 40 });
    const far = drawFace(identityOf(1), expression, FRONT, { x: 120, y: 90, width: 80 });
    expect(far.box.width).toBeCloseTo(2 * near.box.width, 3);
    expect(x(far, 30) - 120).toBeCloseTo(2 * (x(near, 30) - 20), 3);
  });

  test("writes a point with two decimals and no minus before nought", () => {
    expect(pair([-0.001, 1.23456])).toBe("0 1.23");
  });
});
