import { describe, expect, test } from "vitest";
import { affectMetrics } from "../../src/nn/metrics.ts";
import { seeded } from "../../src/random.ts";
import type { ModelResults, RunScores } from "../../src/report/experiment.ts";
import { gainTable } from "../../src/report/experiment-tables.ts";
import { gainOf, gainsOf, isClear } from "../../src/report/gains.ts";
import { shownRows } from "../../src/report/table.ts";
import { EMPTY } from "./experiment-fixture.ts";

/** Random predictions of the fold's labels, less good the more noise there is. */
function run(name: string, fold: number, seed: number | null, noise = 1, frames = 20): RunScores {
  const [labels, said] = [seeded(`labels ${fold}`), seeded(`${name} ${fold} ${seed}`)];
  const valence = Array.from({ length: frames }, () => labels.normal());
  const arousal = Array.from({ length: frames }, () => labels.normal());
  const noisy = (values: number[]) => values.map((value) => value + noise * said.normal());
  const scores = affectMetrics({ valence: noisy(valence), arousal: noisy(arousal) }, { valence, arousal });
  return { fold, seed, frames, scores };
}

const model = (family: string, n: number | null, runs: readonly RunScores[]): ModelResults => ({
  ...{ family, n, role: "model", runs, pooled: [] },
});

const grid = (name: string, folds: readonly number[], seeds: readonly (number | null)[], noise?: number) =>
  folds.flatMap((fold) => seeds.map((seed) => run(name, fold, seed, noise)));

/** The mean and its standard error, by a loop over the folds and seeds that both have. */
function slow(one: readonly RunScores[], other: readonly RunScores[]) {
  const differences: number[] = [];
  for (const a of one)
    for (const b of other) {
      if (a.fold !== b.fold) continue;
      if (a.seed !== b.seed && a.seed !== null && b.seed !== null) continue;
      const ccc = ({ scores }: RunScores) => (scores.valence.ccc + scores.arousal.ccc) / 2;
      differences.push(ccc(a) - ccc(b));
    }
  let mean = 0;
  for (const difference of differences) mean += difference / differences.length;
  let squares = 0;
  for (const difference of differences) squares += (difference - mean) ** 2;
  return { pairs: differences.length, mean, error: Math.sqrt(squares / (differences.length - 1) / differences.length) };
}

describe("the gain of one model over another", () => {
  test.each([
    ["5 folds and 3 seeds", grid("a", [0, 1, 2, 3, 4], [1, 2, 3]), grid("b", [0, 1, 2, 3, 4], [1, 2, 3], 2), 15],
    ["what both have", grid("a", [0, 1, 2], [1, 2]), grid("b", [1, 2, 3], [2, 7]), 2],
    ["one run a fold against every seed", grid("a", [0, 1], [4, 5, 6]), grid("b", [0, 1], [null]), 6],
    ["runs without seeds", grid("a", [0, 1, 2], [null]), grid("b", [2, 1, 0], [null]), 3],
  ])("is the slow loop's: %s", (_, one, other, pairs) => {
    const gain = gainOf(model("A", 2, one), model("B", 2, other))!;
    const expected = slow(one, other);
    expect([gain.pairs, expected.pairs]).toEqual([pairs, pairs]);
    expect(gain.difference).toBeCloseTo(expected.mean, 12);
    expect(gain.standardError).toBeCloseTo(expected.error, 12);
    expect(isClear(gain)).toBe(Math.abs(expected.mean) > 2 * expected.error);
  });

  test("changed about, it changes its sign and nothing else, whatever order runs are in", () => {
    const [one, other] = [grid("a", [0, 1, 2], [1, 2, 3]), grid("b", [0, 1, 2], [1, 2, 3])];
    const [a, b] = [model("A", 2, one), model("B", null, other.toReversed())];
    const [there, back] = [gainOf(a, b)!, gainOf(b, a)!];
    expect(there.difference).not.toBe(0);
    expect(back).toEqual({ ...there, model: there.against, against: there.model, difference: -there.difference });
  });

  test("of equal predictions is 0 ± 0, and not clear", () => {
    const runs = grid("a", [0, 1, 2], [1, 2]);
    const gain = gainOf(model("A", 2, runs), model("B", 2, runs))!;
    expect(gain).toMatchObject({ pairs: 6, difference: 0, standardError: 0, uneven: 0 });
    expect(isClear(gain)).toBe(false);
  });

  test("of little noise over much is clear, and of the same noise over the same is not", () => {
    const clear = gainOf(
      model("A", 2, grid("a", [0, 1, 2, 3], [1, 2], 0.1)),
      model("B", 2, grid("b", [0, 1, 2, 3], [1, 2], 3)),
    )!;
    expect([isClear(clear), clear.difference > 0]).toEqual([true, true]);
  });

  test("of one pair has no standard error; of none is nothing", () => {
    const [one, other] = [model("A", 2, [run("a", 0, 1)]), model("B", 2, [run("b", 0, 1)])];
    const gain = gainOf(one, other)!;
    expect(gain).toMatchObject({ pairs: 1, standardError: null });
    expect(isClear(gain)).toBeNull();
    expect(gainOf(one, model("B", 2, [run("b", 1, 1)]))).toBeNull();
    expect(gainOf(one, model("B", 2, [run("b", 0, 2)]))).toBeNull();
  });
});

test("models are compared at one n, or with one that has none; what is not there is left out", () => {
  const runs = grid("a", [0, 1], [1]);
  const models = [model("C", null, runs), model("S", 2, runs), model("S", 4, runs), model("SA", 4, runs)];
  const pairs = [
    ["S", "C"],
    ["SA", "S"],
    ["SA", "even"],
  ] as const;
  expect(gainsOf(models, pairs).map(({ model, against }) => [model, against])).toEqual([
    [
      { family: "S", n: 2 },
      { family: "C", n: null },
    ],
    [
      { family: "S", n: 4 },
      { family: "C", n: null },
    ],
    [
      { family: "SA", n: 4 },
      { family: "S", n: 4 },
    ],
  ]);
  expect(gainsOf([], pairs)).toEqual([]);
});

test("the table has what is known, in words, and says what stands behind it", () => {
  const frame = model("C", null, [run("c", 0, null), run("c", 1, null, 1, 21)]);
  const memory = model("S", 2, grid("s", [0, 1], [1, 2]));
  const attention = model("SA", 2, [run("sa", 0, 1)]);
  const models = [frame, memory, attention];
  const gains = gainsOf(models, [
    ["S", "C"],
    ["SA", "S"],
  ]);
  const table = gainTable({ ...EMPTY, models, gains });
  const [first, second] = shownRows(table);
  expect(first).toEqual([
    "S-2 − C",
    gains[0]!.difference.toFixed(4),
    gains[0]!.standardError!.toFixed(4),
    "4",
    isClear(gains[0]!) ? "yes" : "no",
  ]);
  expect(second).toEqual(["SA-2 − S-2", gains[1]!.difference.toFixed(4), "–", "1", "one pair: not known"]);
  const notes = table.notes.join("\n");
  expect(notes).toContain("One pair has no standard error.");
  expect(notes).toContain("C has one training a fold, which stands against every seed.");
  expect(notes).toContain("S-2 − C: 2 of 4 pairs were tested on different numbers of frames.");
});
