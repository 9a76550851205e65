import { describe, expect, test } from "vitest";
import { DIMENSIONS, MODEL } from "../../../src/datasets/synth/affect-model.ts";
import { drawTracks } from "../../../src/datasets/synth/affect-tracks.ts";

describe("tracks", () => {
  test("begin alike however long the clip, and differ between clips", () => {
    const [short, long] = [drawTracks(1, "a", 5, 50), drawTracks(1, "a", 9, 50)];
    for (const dimension of DIMENSIONS)
      for (const key of ["label", "level", "carrier"] as const)
        expect(long[dimension][key].slice(0, 5)).toEqual(short[dimension][key]);
    expect(drawTracks(2, "a", 5, 50).valence.level).not.toEqual(short.valence.level);
  });

  test("feel the same at half the rate", () => {
    const [fast, slow] = [drawTracks(3, "a", 9, 50), drawTracks(3, "a", 5, 25)];
    for (const dimension of DIMENSIONS)
      expect(slow[dimension].label).toEqual(fast[dimension].label.filter((_, i) => i % 2 === 0));
  });

  test("keep the label of another actor, whose face differs by a constant", () => {
    const [one, other] = [drawTracks(4, "a", 6, 50), drawTracks(4, "b", 6, 50)];
    expect(other.valence.label).toEqual(one.valence.label);
    const apart = one.valence.level.map((level, i) => level - other.valence.level[i]!);
    for (const gap of apart) expect(gap).toBeCloseTo(apart[0]!, 12);
    expect(Math.abs(apart[0]!)).toBeGreaterThan(1e-6);
  });

  test("have one frame where one is asked for", () => {
    expect(drawTracks(5, "a", 1, 50).arousal.carrier).toHaveLength(1);
  });

  test.each(DIMENSIONS)("of %s have the variances and correlations of the model", (dimension) => {
    const model = MODEL[dimension];
    const clips = Array.from({ length: 6000 }, (_, i) => drawTracks(`v${i}`, `w${i}`, 9, 50)[dimension]);
    const mean = (value: (clip: (typeof clips)[number]) => number) =>
      clips.reduce((sum, clip) => sum + value(clip), 0) / clips.length;
    const felt = (clip: (typeof clips)[number], i: number) => Math.atanh(clip.label[i]!);
    const { mood, swing, pace, rest, mask, rhythm, hertz, fading, tremor, lag } = model;
    const prior = mood ** 2 + swing ** 2;
    const matern = (seconds: number) => mood ** 2 + swing ** 2 * (1 + pace * seconds) * Math.exp(-pace * seconds);
    const still = rest ** 2 + mask ** 2 + rhythm ** 2 + tremor.level ** 2;
    const free = 2 * Math.PI * hertz;
    const angular = Math.sqrt(free ** 2 - fading ** 2);
    const kept = Math.exp(-fading * 0.16);
    const turn = angular * 0.16;
    const apart = (free / angular) * kept * Math.sin(turn);
    const truths: [measured: number, expected: number][] = [
      [mean((clip) => felt(clip, 0)), 0],
      [mean((clip) => felt(clip, 8) ** 2), prior],
      [mean((clip) => felt(clip, 0) * felt(clip, 8)), matern(0.16)],
      [mean((clip) => clip.level[3]! ** 2), prior + still],
      [mean((clip) => clip.carrier[8]! ** 2), 1 + tremor.carrier ** 2],
      [mean((clip) => felt(clip, 4) * clip.level[4]!), matern(lag)],
      [mean((clip) => clip.level[4]! * clip.carrier[4]!), 0],
      [
        mean((clip) => clip.carrier[0]! * clip.carrier[8]!),
        kept * (Math.cos(turn) + (fading / angular) * Math.sin(turn)),
      ],
      [mean((clip) => clip.level[0]! * clip.carrier[8]!), rhythm * apart],
      [mean((clip) => clip.level[8]! * clip.carrier[0]!), -rhythm * apart],
    ];
    for (const [measured, truth] of truths) expect(Math.abs(measured - truth)).toBeLessThan(0.06);
  });
});
