import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import {
  type PredictedFace,
  readPredictions,
  readResult,
  resultsIn,
  writePredictions,
  writeResult,
} from "../../src/report/training-result.ts";
import { temporary } from "../pipelines/temporary.ts";

const faces: PredictedFace[] = [
  {
    clip: 'a, "b"',
    frame: 0,
    valence: -3,
    arousal: 0.1,
    predictedValence: 1e-9,
    predictedArousal: -0.30000000000000004,
  },
  { clip: "017", frame: 12, valence: 10, arousal: -10, predictedValence: 4.5, predictedArousal: 0 },
];

const result = (fold: number) => ({
  key: `key ${fold}`,
  keyParts: ["options", { steps: 3 }],
  source: { name: `synth/fold-${fold}`, digest: "0123" },
  fold,
  folds: 5,
  store: "/faces",
  data: "/data",
  metrics: { "ccc V": 0.5 },
  facts: { trainMean: { valence: 1, arousal: 2 } },
});

describe("the result of a training", () => {
  it("keeps predictions to the last digit", async () => {
    const folder = await temporary();
    await writePredictions(folder, faces);
    expect(await readPredictions(folder)).toEqual(faces);
    await writePredictions(folder, []);
    expect(await readPredictions(folder)).toEqual([]);
  });

  it("says which column of which file is no number", async () => {
    const folder = await temporary();
    await writePredictions(folder, faces);
    const file = path.join(folder, "predictions.csv");
    await writeFile(file, (await readFile(file, "utf8")).replace(",12,", ",,"));
    await expect(readPredictions(folder)).rejects.toThrow(/predictions\.csv: .* frame is ""/);
    await expect(readPredictions(path.join(folder, "none"))).rejects.toThrow(/predictions cannot be read/);
  });

  it("is found by fold, while its files are those it was written with", async () => {
    const place = await temporary();
    for (const fold of [2, 0]) {
      const folder = path.join(place, `fold-${fold}`);
      await mkdir(folder);
      await writePredictions(folder, faces);
      await writeResult(folder, result(fold), ["predictions.csv"]);
    }
    await mkdir(path.join(place, "unfinished"));
    await writeFile(path.join(place, "report.json"), "{}");
    expect((await resultsIn(place)).map(({ folder, result }) => [path.basename(folder), result.key])).toEqual([
      ["fold-0", "key 0"],
      ["fold-2", "key 2"],
    ]);
    const { format, files, ...rest } = (await readResult(path.join(place, "fold-2")))!;
    expect([format, Object.keys(files), rest]).toEqual([1, ["predictions.csv"], result(2)]);

    await appendFile(path.join(place, "fold-2", "predictions.csv"), "\n");
    await writeFile(path.join(place, "fold-0", "result.json"), "{");
    expect(await resultsIn(place)).toEqual([]);
    expect(await resultsIn(path.join(place, "absent"))).toEqual([]);
  });
});
