import { copyFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { entryFolders } from "../../src/cache/layout.ts";
import type { Json } from "../../src/digest.ts";
import { bind } from "../../src/pipelines/bind.ts";
import { load } from "../../src/pipelines/load.ts";
import { packageRoot } from "../../src/pipelines/package.ts";
import { run } from "../../src/pipelines/run.ts";
import type { Stages } from "../../src/stages/define.ts";
import { stages } from "../../src/stages/index.ts";
import { temporary } from "../pipelines/temporary.ts";

const pipelines = load(path.join(packageRoot, "pipelines.yaml"), stages);

/** Whatever is asked of these stages fails. */
const idle: Stages = Object.fromEntries(
  Object.entries(stages).map(([name, stage]) => {
    const works = name === "label-faces" || name === "cache-latents";
    const run = () => {
      throw new Error(`${name} ran`);
    };
    return [name, works ? stage : { ...stage, run }];
  }),
);

it("an edited label file recomputes labels alone: no frame is decoded, and the entry is that of a full run, byte for byte", async () => {
  const folder = await temporary();
  await copyFile(path.join(packageRoot, "data/samples/one-face.mp4"), path.join(folder, "clip.mp4"));
  const labels = path.join(folder, "clip.labels.csv");
  const text = (valence: number) => `seconds,valence,arousal,subject\n0,${valence},0,ada\n2,0.5,0,ada\n9,0,0,ada\n`;
  const [output, whole] = [await temporary(), await temporary()];
  const made = async (table: Stages, to: string, given: Record<string, Json> = {}, force = false) => {
    const bound = bind(pipelines["extract-latents"]!, table, { input: [folder], output: to, fps: 1, ...given });
    return (await run(bound, { stages: table, force })).report.items[0]!;
  };
  const entries = async (to: string) => {
    const found: Record<string, Record<string, Buffer>> = {};
    for (const place of await entryFolders(to)) {
      const files = (await readdir(place)).sort();
      const bytes = await Promise.all(files.map((name) => readFile(path.join(place, name))));
      found[path.relative(to, place)] = Object.fromEntries(files.map((name, i) => [name, bytes[i]!]));
    }
    return found;
  };

  await writeFile(labels, text(0.25));
  expect(await made(stages, output)).toMatchObject({ status: "done" });
  await writeFile(labels, text(0.75));
  const again = await made(idle, output);
  expect(again).toMatchObject({ status: "done", verdict: "complete", counts: { sampled: 4, decoded: 100 } });
  expect(Object.keys(again.stages)).toEqual(["stored", "label-faces", "cache-latents"]);
  await rm(labels);
  expect(await made(idle, output)).toMatchObject({ status: "done" });
  expect(await made(idle, output)).toMatchObject({ status: "cached" });

  // What was stored is one of many reasons to run, and no reason where everything is to be done anew.
  expect(await made(idle, output, {}, true)).toMatchObject({ status: "failed" });
  expect(await made(idle, output, { fps: 2 })).toMatchObject({ status: "failed" });

  expect(await made(stages, whole)).toMatchObject({ status: "done" });
  await writeFile(labels, text(0.75));
  // Labels that were there and are gone, and others in their place: all of it made from frames.
  await rm(path.join(whole, (await entryNames(whole))[0]!), { recursive: true });
  expect(await made(stages, whole)).toMatchObject({ status: "done" });
  const [relabelled, full] = [await entries(output), await entries(whole)];
  const [name] = Object.keys(full) as [string];
  expect(Object.keys(relabelled)).toHaveLength(3);
  expect(Object.keys(full[name]!).length).toBeGreaterThan(2);
  expect(relabelled[name]).toEqual(full[name]);
  const { facts } = JSON.parse(full[name]!["marker.json"]!.toString());
  expect(facts).toMatchObject({ labelled: 2, faces: 4, subject: "ada" });
  expect(facts.warnings).toEqual(["1 of 3 labels in clip.labels.csv are on no frame: 1 after the last (3 s)."]);
}, 300_000);

const entryNames = async (to: string) => (await entryFolders(to)).map((place) => path.relative(to, place));
