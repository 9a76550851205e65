import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { drawTracks, type Tracks } from "../../../src/datasets/synth/affect-tracks.ts";
import type { Expression } from "../../../src/datasets/synth/expression.ts";
import { blinksOf, showing } from "../../../src/datasets/synth/showing.ts";
import { seeded } from "../../../src/random.ts";

const still = (level: number, carrier = 0) => ({
  label: Float64Array.of(0),
  level: Float64Array.of(level),
  carrier: Float64Array.of(carrier),
});
const shown = fc.double({ min: -3, max: 3, noNaN: true });

describe("what is shown", () => {
  const cues: [keyof Tracks, "level" | "carrier", keyof Expression][] = [
    ["valence", "level", "mouthCurve"],
    ["valence", "carrier", "mouthOpen"],
    ["arousal", "level", "browRaise"],
    ["arousal", "level", "eyeOpen"],
    ["arousal", "carrier", "browSlope"],
  ];
  test.each(cues)("%s's %s moves %s, strictly, and nothing else moves it", (dimension, part, cue) => {
    fc.assert(
      fc.property(shown, shown, shown, shown, (low, high, a, b) => {
        fc.pre(high - low > 0.01);
        const at = (value: number, other: number) => {
          const own = part === "level" ? still(value, other) : still(other, value);
          const company = still(other, other);
          return showing({ valence: company, arousal: company, [dimension]: own } as Tracks, 0)[cue];
        };
        expect(at(high, a)).toBeGreaterThan(at(low, a));
        expect(at(high, a)).toBe(at(high, b));
      }),
    );
  });

  test("a blink shuts the eyes and nothing else", () => {
    const tracks = { valence: still(0.4), arousal: still(-0.2) };
    const [open, shut] = [showing(tracks, 0, 0), showing(tracks, 0, 1)];
    expect(shut.eyeOpen).toBeLessThan(0.1 * open.eyeOpen);
    expect({ ...shut, eyeOpen: 0 }).toEqual({ ...open, eyeOpen: 0 });
  });
});

describe("blinks", () => {
  const blinking = (level: number) => {
    const arousal = {
      ...drawTracks(0, 0, 60_000, 50).arousal,
      level: new Float64Array(60_000).fill(level),
    };
    const closed = blinksOf(seeded("blinks"), { valence: arousal, arousal }, 50);
    let count = 0;
    for (let i = 1; i < closed.length; i++) if (closed[i]! > 0.5 && closed[i - 1]! <= 0.5) count++;
    return { closed, perMinute: count / 20 };
  };

  test("come more often on a livelier face", () => {
    const [calm, lively] = [blinking(-2), blinking(2)];
    expect(calm.perMinute).toBeGreaterThan(8);
    expect(lively.perMinute).toBeGreaterThan(1.4 * calm.perMinute);
    for (const { closed } of [calm, lively]) {
      expect(Math.min(...closed)).toBe(0);
      expect(Math.max(...closed)).toBeLessThanOrEqual(1);
      expect(Math.max(...closed)).toBeGreaterThan(0.9);
    }
  });
});
