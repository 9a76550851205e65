import { expect, test } from "vitest";
import { anclaf, type Subject, small } from "../../bench/train-programs.ts";
import { compileSteps } from "../../src/compile/index.ts";
import { presets } from "../../src/systems/anclaf/presets.ts";

/** Convolutions both ways, instance norm, and a gradient of a gradient, small enough for the cpu backend. */
const subjects: Subject[] = [
  small(2, 12),
  anclaf({ ...presets.small, image: 16, generator: 2, discriminator: 3, depth: 3 }, 2),
];

test.each(subjects.map((subject) => [subject.name, subject] as const))(
  "%s: three steps of each program, the same on both engines",
  async (name, { programs, state, feeds }) => {
    await using onnx = compileSteps(programs, { name, engine: "onnx", threads: 1, state });
    await using js = compileSteps(programs, { name, engine: "js", state });
    for (let i = 0; i < 3; i++)
      for (const program of Object.keys(programs)) {
        const [a, b] = [await onnx.run(program, feeds[program]!), await js.run(program, feeds[program]!)];
        for (const [key, { data }] of Object.entries(b))
          expect(Math.abs(a[key]!.data[0]! - data[0]!), `${key} of ${program}`).toBeLessThan(
            1e-4 * (1 + Math.abs(data[0]!)),
          );
      }
    const [a, b] = [await onnx.read(), await js.read()];
    for (const entry of Object.keys(state).filter((key) => /^(parameters|weights)/.test(key))) {
      const [found, wanted, start] = [a[entry]!.data, b[entry]!.data, state[entry]!.data];
      let moved = 0;
      for (let i = 0; i < wanted.length; i++) {
        expect(Math.abs(found[i]! - wanted[i]!), `${entry} ${i}`).toBeLessThanOrEqual(
          1e-4 * Math.abs(wanted[i]!) + 1e-6,
        );
        if (wanted[i] !== start[i]) moved += 1;
      }
      // Taps that see padding alone, on pictures as small as these, do not move.
      expect(moved).toBeGreaterThan(wanted.length / 3);
    }
  },
);
