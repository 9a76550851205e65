import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/random.ts";
import {
  type Augmentation,
  augment,
  augmentLandmarks,
  drawAugmentation,
  mirrorOf,
  UNCHANGED,
} from "../../../src/systems/anclaf/augmentation.ts";

const side = 32;
const random = seeded(3);
const image = Uint8Array.from({ length: side * side * 3 }, () => Math.floor(random.next() * 256));
const augmented = (from: Uint8Array, augmentation: Augmentation, wide = side) => {
  const into = new Uint8Array(from.length).fill(77);
  augment(from, wide, augmentation, into);
  return into;
};
const drawn = fc.integer().map((seed) => drawAugmentation(seeded(seed)));
const flipped: Augmentation = { ...UNCHANGED, flip: true };

describe("pixels", () => {
  test("unchanged, they are the same", () => {
    expect(augmented(image, UNCHANGED)).toEqual(image);
  });

  test("a flip mirrors columns, and twice is none", () => {
    const once = augmented(image, flipped);
    for (let i = 0; i < image.length; i++) {
      const [c, x, y] = [i % 3, Math.floor(i / 3) % side, Math.floor(i / 3 / side)];
      expect(once[i]).toBe(image[(y * side + side - 1 - x) * 3 + c]);
    }
    expect(augmented(once, flipped)).toEqual(image);
  });

  test("a quarter turn clockwise brings the left column to the top", () => {
    const turned = augmented(image, { ...UNCHANGED, degrees: 90 });
    for (let i = 0; i < side; i++) expect(turned[i * 3], `pixel ${i}`).toBe(image[(side - 1 - i) * side * 3]);
  });

  test("each is a bilinear mean of where it comes from: crop undone, then rotation, then flip; black outside", () => {
    fc.assert(
      fc.property(drawn, fc.nat(side - 1), fc.nat(side - 1), (augmentation, x, y) => {
        const { flip, degrees, crop } = augmentation;
        const inCrop = {
          x: (crop.left + ((x + 0.5) / side) * crop.width) * side,
          y: (crop.top + ((y + 0.5) / side) * crop.height) * side,
        };
        const angle = Math.atan2(inCrop.y - side / 2, inCrop.x - side / 2) - (degrees * Math.PI) / 180;
        const length = Math.hypot(inCrop.x - side / 2, inCrop.y - side / 2);
        const u = (flip ? -1 : 1) * length * Math.cos(angle) + side / 2 - 0.5;
        const v = length * Math.sin(angle) + side / 2 - 0.5;
        const found = augmented(image, augmentation);
        for (const c of [0, 1, 2]) {
          let expected = 0;
          for (let j = 0; j < side; j++)
            for (let i = 0; i < side; i++)
              expected +=
                Math.max(0, 1 - Math.abs(i - u)) * Math.max(0, 1 - Math.abs(j - v)) * image[(j * side + i) * 3 + c]!;
          expect(Math.abs(found[(y * side + x) * 3 + c]! - expected)).toBeLessThanOrEqual(0.51);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("landmarks", () => {
  test("stay on what they mark: a dot drawn on one is found where it went", () => {
    const wide = 64;
    let seen = 0;
    fc.assert(
      fc.property(
        drawn,
        fc.nat(67),
        fc.integer({ min: 8, max: 55 }),
        fc.integer({ min: 8, max: 55 }),
        (augmentation, point, x, y) => {
          const dot = new Uint8Array(wide * wide * 3);
          for (let j = y - 2; j <= y + 2; j++) dot.fill(255, (j * wide + x - 2) * 3, (j * wide + x + 3) * 3);
          const landmarks = new Float32Array(68 * 2);
          landmarks.set([x + 0.5, y + 0.5], point * 2);
          const place = augmentation.flip ? mirrorOf(68)[point]! : point;
          const [toX, toY] = augmentLandmarks(landmarks, wide, augmentation).slice(place * 2, place * 2 + 2);
          if (Math.min(toX!, toY!) < 8 || Math.max(toX!, toY!) > wide - 8) return;
          seen += 1;
          const found = augmented(dot, augmentation, wide);
          let [sum, sumX, sumY] = [0, 0, 0];
          for (let i = 0; i < wide * wide; i++) {
            sum += found[i * 3]!;
            sumX += found[i * 3]! * ((i % wide) + 0.5);
            sumY += found[i * 3]! * (Math.floor(i / wide) + 0.5);
          }
          expect(sumX / sum).toBeCloseTo(toX!, 0);
          expect(Math.hypot(sumX / sum - toX!, sumY / sum - toY!)).toBeLessThan(0.35);
        },
      ),
      { numRuns: 150, seed: 4 },
    );
    expect(seen).toBeGreaterThan(60);
  });

  test.each([68, 49])("of %d points: a flip twice is none, and exchanges left and right", (points) => {
    const landmarks = Float32Array.from({ length: points * 2 }, () => random.uniform(0, side));
    const there = augmentLandmarks(landmarks, side, flipped);
    const back = augmentLandmarks(there, side, flipped);
    back.forEach((value, i) => {
      expect(value).toBeCloseTo(landmarks[i]!, 4);
    });
    const mirror = mirrorOf(points);
    expect(mirror.map((point) => mirror[point])).toEqual(Array.from({ length: points }, (_, i) => i));
  });

  test("the mirror of a face that is symmetric is itself, point by point (iBUG's 68 and the 49 inside)", () => {
    const mirror = mirrorOf(68);
    // Chin, nose bridge and tip, middles of the lips stay; outer eye corners, mouth corners and brows change places.
    for (const middle of [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]) expect(mirror[middle]).toBe(middle);
    const pairs = [
      [0, 16],
      [17, 26],
      [21, 22],
      [31, 35],
      [36, 45],
      [37, 44],
      [39, 42],
      [40, 47],
      [41, 46],
      [48, 54],
      [59, 55],
      [60, 64],
      [61, 63],
      [67, 65],
    ];
    for (const [left, right] of pairs) expect(mirror[left!]).toBe(right);
    const inside = mirrorOf(49);
    // Without jaw and inner mouth corners: brows 0..9, nose 10..18, eyes 19..30, lips 31..42, inner lips 43..48.
    for (const [left, right] of [
      [0, 9],
      [13, 13],
      [19, 28],
      [31, 37],
      [43, 45],
      [44, 44],
      [46, 48],
      [47, 47],
    ])
      expect(inside[left!]).toBe(right);
    expect(() => mirrorOf(21)).toThrow(/21 landmarks/);
  });
});

describe("what is drawn", () => {
  test("a third each of nothing, flip and rotation; half are cropped; crops lie inside and have their area and aspect", () => {
    const source = seeded(8);
    const draws = Array.from({ length: 12_000 }, () => drawAugmentation(source));
    const share = (of: (a: Augmentation) => boolean) => draws.filter(of).length / draws.length;
    expect(share(({ flip }) => flip)).toBeCloseTo(1 / 3, 1);
    expect(share(({ degrees }) => degrees !== 0)).toBeCloseTo(1 / 3, 1);
    expect(share(({ flip, degrees }) => flip && degrees !== 0)).toBe(0);
    const crops = draws.map(({ crop }) => crop).filter(({ width, height }) => width < 1 || height < 1);
    expect(crops.length / draws.length).toBeCloseTo(1 / 2, 1);
    for (const { left, top, width, height } of crops) {
      expect(Math.min(left, top)).toBeGreaterThanOrEqual(0);
      expect(Math.max(left + width, top + height)).toBeLessThanOrEqual(1);
      expect(width * height).toBeGreaterThanOrEqual(0.5 - 1e-9);
      expect(width / height).toBeGreaterThanOrEqual(0.5 - 1e-9);
      expect(width / height).toBeLessThanOrEqual(1.5 + 1e-9);
    }
    const turns = draws.map(({ degrees }) => degrees);
    expect(Math.min(...turns)).toBeLessThan(-43);
    expect(Math.max(...turns)).toBeGreaterThan(43);
    expect(Math.max(...turns.map(Math.abs))).toBeLessThanOrEqual(45);
  });

  test("by the same seed is the same, and so are its bytes", () => {
    expect(drawAugmentation(seeded(5))).toEqual(drawAugmentation(seeded(5)));
    const once = drawAugmentation(seeded(6));
    expect(augmented(image, once)).toEqual(augmented(image, once));
  });
});
