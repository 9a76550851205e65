import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  ATTENTION_FILE,
  readAttention,
  readStepPredictions,
  writeAttention,
  writeStepPredictions,
} from "../../src/report/sequence-files.ts";
import { PREDICTIONS_FILE } from "../../src/report/training-result.ts";
import { temporary } from "../pipelines/temporary.ts";

const step = {
  clip: 'a "clip", one',
  track: 1,
  frame: 7,
  pts: 280_000,
  seen: 3,
  valence: -2.5,
  arousal: 0,
  predictedValence: 0.1 + 0.2,
  predictedArousal: -1e-9,
};

test("predictions are read as they were written; labels may be unknown", async () => {
  const folder = await temporary();
  const unknown = { ...step, frame: 8, valence: Number.NaN, arousal: Number.NaN };
  await writeStepPredictions(folder, [step, unknown]);
  expect(await readStepPredictions(folder)).toEqual([step, unknown]);
  await writeStepPredictions(folder, []);
  expect(await readStepPredictions(folder)).toEqual([]);
  const path = join(folder, PREDICTIONS_FILE);
  const head = await readFile(path, "utf8");
  await writeFile(path, `${head}a,0,1,0,1,1,1,,2\n`);
  await expect(readStepPredictions(folder)).rejects.toThrow('predicted_valence is ""');
});

test("predictions without the frames seen are told how to be made again", async () => {
  const folder = await temporary();
  await writeStepPredictions(folder, [step]);
  const path = join(folder, PREDICTIONS_FILE);
  const lines = (await readFile(path, "utf8")).trim().split("\n");
  expect(lines[0]).toBe("clip,track,frame,pts,seen,valence,arousal,predicted_valence,predicted_arousal");
  await writeFile(path, "clip,track,frame,pts,valence,arousal,predicted_valence,predicted_arousal\na,0,7,0,1,1,1,1\n");
  await expect(readStepPredictions(folder)).rejects.toThrow(
    /predictions\.csv: the predictions cannot be read: They have no column "seen": an older version .* Delete .*fold-\*\/\*\/result\.json and give the command .* only tested again\.$/,
  );
});

test("attention is a lower triangle", async () => {
  const folder = await temporary();
  const steps = [
    { clip: "a", track: 0, frame: 3, step: 0, scored: false, weights: [] },
    { clip: "a", track: 0, frame: 4, step: 1, scored: true, weights: [1] },
    { clip: "a", track: 0, frame: -1, step: 2, scored: true, weights: [0.25, 0.75] },
  ];
  await writeAttention(folder, 3, steps);
  expect(await readFile(join(folder, ATTENTION_FILE), "utf8")).toBe(
    "clip,track,frame,step,scored,w0,w1\na,0,3,0,0,,\na,0,4,1,1,1,\na,0,-1,2,1,0.25,0.75\n",
  );
  const read = await readAttention(folder);
  expect(read.map(({ weights, ...rest }) => ({ ...rest, weights: Array.from(weights) }))).toEqual(steps);
  await writeFile(join(folder, ATTENTION_FILE), "clip,track,frame,step,scored,w0,w1\na,0,4,2,1,0.5\n");
  await expect(readAttention(folder)).rejects.toThrow("the attention cannot be read");
});
