import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { drawTracks } from "../../../src/datasets/synth/affect-tracks.ts";
import { creases } from "../../../src/datasets/synth/creases.ts";
import { drawFace } from "../../../src/datasets/synth/face.ts";
import { identityOf } from "../../../src/datasets/synth/identity.ts";
import { inTurns } from "../../../src/datasets/synth/in-turns.ts";
import { camera, type Light, lightOf } from "../../../src/datasets/synth/light.ts";
import { occludersOf } from "../../../src/datasets/synth/occluder.ts";
import { showing } from "../../../src/datasets/synth/showing.ts";
import { seeded } from "../../../src/random.ts";

describe("what passes in front of a face", () => {
  const placement = { x: 60, y: 44, width: 50 };
  const found = Array.from({ length: 30 }, (_, i) => occludersOf(seeded(i), identityOf(i), 10)).flat();
  const seen = found.flatMap(({ name, at }) =>
    Array.from({ length: 50 }, (_, i) => ({ name, cover: at(i / 5, placement) })).filter(({ cover }) => cover !== null),
  );

  test("is of every kind, and comes and goes", () => {
    expect(new Set(seen.map(({ name }) => name))).toEqual(new Set(["hand", "microphone", "phone", "strand"]));
    expect(seen.length).toBeLessThan(found.length * 25);
    for (const { at } of found) expect(at(-5, placement)).toBeNull();
  });

  test("no strand of hair falls from a bald head", () => {
    const bald = { ...identityOf(1), hair: { ...identityOf(1).hair, style: "bald" as const } };
    const names = Array.from({ length: 30 }, (_, i) => occludersOf(seeded(i), bald, 10)).flat();
    expect(names.some(({ name }) => name === "strand")).toBe(false);
  });

  test("covers the pixels that it is drawn on", async () => {
    const [width, height] = [120, 100];
    for (const { cover } of seen.filter((_, i) => i % 40 === 0)) {
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${cover!.svg}</svg>`;
      const rgba = await sharp(Buffer.from(svg)).ensureAlpha().raw().toBuffer();
      let wrong = 0;
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) {
          const alpha = rgba[4 * (y * width + x) + 3]!;
          // Edges are drawn softly, so pixels that are only partly covered may count either way.
          if (alpha > 2 && alpha < 253) continue;
          if (cover!.covers(x + 0.5, y + 0.5) !== alpha >= 253) wrong++;
        }
      expect(wrong).toBeLessThanOrEqual(3);
    }
  });
});

describe("creases", () => {
  const drawn = (mouthCurve: number) => {
    const [person, pose] = [identityOf(3), { yaw: 0.1, pitch: 0, roll: 0.1 }];
    const tracks = drawTracks(1, 1, 1, 50);
    const expression = { ...showing(tracks, 0), mouthCurve };
    const face = drawFace(person, expression, pose, { x: 60, y: 44, width: 50 });
    const svg = creases(person, expression, face);
    const opacity = Number(/stroke-opacity="([\d.]+)"/.exec(svg)![1]);
    const middles = [...svg.matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)]);
    return { opacity, middles, landmarks: face.landmarks };
  };

  test("shade the mouth's corners, and deepen as those rise", () => {
    const { middles, landmarks } = drawn(0.2);
    for (const [i, corner] of [48, 54].entries())
      for (const axis of [0, 1])
        expect(Math.abs(middles[i]![axis]! - landmarks[2 * corner + axis]!)).toBeLessThanOrEqual(0.0051);
    expect(drawn(0.2).opacity).toBeGreaterThan(drawn(0).opacity);
    expect(drawn(0).opacity).toBeGreaterThan(drawn(-0.2).opacity);
  });
});

describe("light", () => {
  const plain: Light = { level: 1, colour: [1, 1, 1], direction: 0, slope: 0, flicker: 0 };
  const [width, height] = [3, 2];
  const wall = Uint8Array.from({ length: 18 }, (_, i) => 10 * i);
  const drawn = Uint8Array.from({ length: 24 }, (_, i) =>
    i % 4 === 3 ? [0, 255, 128][Math.floor(i / 4) % 3]! : 7 * i,
  );

  test.each([
    ["none of its own", plain],
    ["warm, from the left, dim", { ...plain, level: 0.8, colour: [1.1, 1, 0.9], direction: Math.PI, slope: 0.3 }],
    ["so bright that it is cut", { ...plain, level: 4 }],
  ] as [string, Light][])("%s: what is drawn lies over the wall, and both are lit", (_, light) => {
    const { data } = camera(light, seeded(1), width, height)(drawn, wall, 0.5);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let channel = 0; channel < 3; channel++) {
          const pixel = y * width + x;
          const cover = drawn[4 * pixel + 3]! / 255;
          const colour = cover * drawn[4 * pixel + channel]! + (1 - cover) * wall[3 * pixel + channel]!;
          const along = Math.cos(light.direction) * (x / width - 0.5) + Math.sin(light.direction) * (y / height - 0.5);
          const lit = light.level * light.colour[channel]! * (1 + 2 * light.slope * along) * colour;
          expect(Math.abs(data[3 * pixel + channel]! - Math.min(255, lit))).toBeLessThanOrEqual(0.51);
        }
  });

  test("differs from clip to clip, and wavers", () => {
    const lights = Array.from({ length: 50 }, (_, i) => lightOf(seeded(i)));
    expect(Math.max(...lights.map(({ level }) => level))).toBeGreaterThan(1);
    expect(Math.min(...lights.map(({ level }) => level))).toBeLessThan(0.75);
    const shoot = camera({ ...plain, flicker: 0.2 }, seeded(2), width, height);
    expect(shoot(drawn, wall, 0).data).not.toEqual(shoot(drawn, wall, 0.6).data);
  });
});

describe("in turns", () => {
  const waits = [5, 1, 3, 0, 2, 4];
  const collect = async <T>(results: AsyncIterable<T>): Promise<T[]> => {
    const all: T[] = [];
    for await (const result of results) all.push(result);
    return all;
  };

  test.each([1, 2, 9])("results come in order, at most %i under way", async (concurrency) => {
    let [now, most] = [0, 0];
    const work = async (i: number) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, waits[i]));
      now--;
      return 10 * i;
    };
    expect(await collect(inTurns(6, work, { concurrency }))).toEqual([0, 10, 20, 30, 40, 50]);
    expect(most).toBe(Math.min(6, concurrency));
    expect(await collect(inTurns(0, work, { concurrency }))).toEqual([]);
  });

  test("a failure is told when its turn comes, after the others have ended", async () => {
    let ended = 0;
    const work = async (i: number) => {
      await new Promise((resolve) => setTimeout(resolve, waits[i]));
      ended++;
      if (i === 1) throw new Error("the second");
      return i;
    };
    await expect(collect(inTurns(6, work, { concurrency: 4 }))).rejects.toThrow("the second");
    expect(ended).toBeGreaterThanOrEqual(4);
    expect(ended).toBeLessThan(6);
  });

  test("an abort starts nothing more", async () => {
    const controller = new AbortController();
    let started = 0;
    const work = async (i: number) => {
      if (++started === 3) controller.abort();
      return i;
    };
    await expect(collect(inTurns(100, work, { concurrency: 2, signal: controller.signal }))).rejects.toThrow(/abort/i);
    expect(started).toBe(3);
  });
});
