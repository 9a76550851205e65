import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { synthFaces } from "../../src/datasets/synth/faces.ts";
import { pipe, reportOf, scratch } from "./pipe.ts";

const STEPS = 9;

test("a training saves at the first SIGINT, and at SIGHUP, and exits 130; the same command ends with the bytes of an uninterrupted one", async () => {
  const place = await scratch();
  const [data, whole, parted] = ["data", "whole", "parted"].map((name) => join(place, name)) as [
    string,
    string,
    string,
  ];
  await synthFaces({ clips: 3, frames: 2, actors: 3, seed: 5, output: data });
  const set = [
    `split-faces.store=${join(place, "store")}`,
    "split-faces.folds=3",
    "train-anclaf.batchSize=2",
    "train-anclaf.critics=2",
    "train-anclaf.validateEvery=2",
    "train-anclaf.threads=1",
  ].flatMap((option) => ["--set", option]);
  const train = (output: string) => [
    ...["run", "train-anclaf", "--data", data, "--fold", "1", "--steps", `${STEPS}`],
    ...["--output", output, "--progress", "none", ...set],
  ];
  const first = await pipe(train(whole));
  expect(first.code, first.stderr).toBe(0);

  const checkpoints = () => readdir(join(parted, "fold-1/checkpoints")).catch(() => []);
  const saved = async () =>
    (await checkpoints()).flatMap((name) => name.match(/\d+(?=\.safetensors$)/) ?? []).map(Number);
  const cut = await pipe(train(parted), {
    during: async (kill) => {
      while ((await saved()).length === 0) await sleep(10);
      kill("SIGINT");
    },
  });
  expect(cut.code, cut.stderr).toBe(130);
  expect(cut.stderr).toContain("interrupt again to stop at once");
  expect(cut.stderr).toContain("synth/fold-1: Saving at the end of this iteration");
  expect(cut.stderr).not.toContain("bug");
  expect(cut.stdout).toContain("Stopped before its end; the same command goes on.");
  const { items, totals } = await reportOf(parted);
  expect(items.map(({ status }) => status)).toEqual(["stopped"]);
  expect(totals).toMatchObject({ stopped: 1, failed: 0, interrupted: true });
  const last = Math.max(...(await saved()));
  expect(last).toBeGreaterThanOrEqual(2);
  expect(last).toBeLessThan(STEPS);
  expect(await readdir(join(parted, "fold-1"))).not.toContain("result.json");

  const closed = await pipe(train(parted), {
    during: async (kill) => {
      while (Math.max(...(await saved())) === last) await sleep(10);
      kill("SIGHUP");
    },
  });
  expect(closed.code, closed.stderr).toBe(130);
  expect((await reportOf(parted)).items.map(({ status }) => status)).toEqual(["stopped"]);
  expect(Math.max(...(await saved()))).toBeGreaterThan(last);

  const again = await pipe(train(parted));
  expect(again.code, again.stderr).toBe(0);
  const bytes = (output: string, name: string) => readFile(join(output, "fold-1", name));
  for (const name of ["predictions.csv", "log.jsonl", "model.safetensors", "result.json"])
    expect((await bytes(parted, name)).equals(await bytes(whole, name)), name).toBe(true);
}, 180_000);
