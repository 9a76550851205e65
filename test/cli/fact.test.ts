import { expect, test } from "vitest";
import { factInWords } from "../../src/cli/fact.ts";
import type { Json } from "../../src/digest.ts";

const digest = "0123456789abcdef".repeat(4);

test.each<[Json, string]>([
  [{ valence: [-1, 1], arousal: [-1, 1] }, "valence -1 to 1, arousal -1 to 1"],
  [{ dataset: "synth", valence: [-10, 10], arousal: [0, 0.5] }, "dataset synth, valence -10 to 10, arousal 0 to 0.5"],
  [{ labels: { valence: [-1, 1], unit: "none" }, of: 3 }, "labels (valence -1 to 1, unit none), of 3"],
  [{ shape: [68, 16, 16], order: [2, 1], both: [[1, 2], [3]] }, "shape (68, 16, 16), order (2, 1), both ((1, 2), (3))"],
  [{ valence: -0.13289930555, arousal: 1 / 3e5 }, "valence -0.1329, arousal 0.000003333"],
  [{ name: "blazeface", engine: "onnx", provider: "cpu" }, "blazeface (onnx, cpu)"],
  [{ name: "blazeface", engine: { name: "onnx", provider: null } }, "blazeface (engine onnx)"],
  [{ name: "synth", digest, faces: 19200, skipped: 0 }, "synth (0123456789ab…, faces 19200, skipped 0)"],
  [`of ${digest}`, "of 0123456789ab…"],
  [["anclaf-s-2", "anclaf-sa-2"], "anclaf-s-2, anclaf-sa-2"],
  // Alone, two numbers may be anything.
  [[1, 2], "1, 2"],
  [[{ kind: "blur", psnr: 20 }, { kind: "none" }], "2 in report.json"],
  [[{ kind: "blur", psnr: 20 }], "kind blur, psnr 20"],
  [[], "none"],
  [{}, "none"],
  [{ best: null, of: undefined }, "none"],
  [null, "null"],
  [true, "true"],
  [1234567.5, "1235000"],
])("%j is said as %j", (fact, words) => {
  expect(factInWords(fact)).toBe(words);
});
