import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { synthFaces } from "../../src/datasets/synth/faces.ts";
import { faceOracles } from "../../src/datasets/synth/oracle-faces.ts";
import { type YardsticksOptions, yardsticksOf } from "../../src/datasets/yardsticks.ts";
import { METRICS } from "../../src/nn/metrics.ts";
import { temporary } from "../pipelines/temporary.ts";

let root: string;
let drawn: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "yardsticks-"));
  drawn = join(root, "drawn");
  await synthFaces({ clips: 2, frames: 4, actors: 2, seed: 7, output: drawn, concurrency: 1 });
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function held(about: Partial<YardsticksOptions>) {
  const notes: string[] = [];
  const range = { valence: [-10, 10], arousal: [0, 4] } as const;
  const note = (message: string) => notes.push(message);
  const found = await yardsticksOf({ dataset: "afew-va", data: undefined, range, faces: [], note, ...about });
  return { ...found, notes };
}

const names = (paper: Awaited<ReturnType<typeof held>>["paper"]) =>
  paper.map(({ family, n }) => `${family} ${n}`).filter((name) => /ANCLaF/.test(name));

describe("what results are held against", () => {
  test("the papers' rows of a data set that they have, by family and length, with their metrics", async () => {
    const [afew, sewa] = [await held({}), await held({ dataset: "sewa" })];
    expect(afew).toMatchObject({ drawn: false, metrics: ["rmse", "cor", "icc"], oracle: null, notes: [] });
    expect(sewa).toMatchObject({ drawn: false, metrics: ["rmse", "cor", "ccc"], oracle: null });
    const lengths = [2, 4, 8, 16, 32];
    const own = ["ANCLaF-S", "ANCLaF-SA"].flatMap((family) => [
      ...lengths.map((n) => `${family} ${n}`),
      `${family}-AVG null`,
    ]);
    expect(names(afew.paper)).toEqual(["ANCLaF null", ...own]);
    const eight = afew.paper.find(({ family, n }) => family === "ANCLaF-SA" && n === 8);
    expect(eight?.figures.valence).toEqual({ rmse: 2.481, cor: 0.371, icc: 0.294 });
  });

  test("nothing, where nobody has printed anything: all metrics are shown", async () => {
    expect(await held({ dataset: "labelled videos" })).toMatchObject({ drawn: false, paper: [], metrics: METRICS });
    expect(await held({ dataset: "constructor" })).toMatchObject({ paper: [] });
  });

  test.each(["synth", "afew-va"])(
    "drawn faces are known by their truth, named %s: the best predictor, in native units",
    async (dataset) => {
      const oracles = await faceOracles(drawn);
      const faces = ["001", "002"].flatMap((clip) => [0, 3].map((frame) => ({ clip, frame })));
      const found = await held({ dataset, data: drawn, faces });
      expect(found).toMatchObject({ drawn: true, metrics: METRICS, notes: [] });
      expect(names(found.paper)).toContain("ANCLaF-S 8");
      for (const n of [1, 3])
        for (const face of faces) {
          const unit = oracles(n)(face.clip, face.frame)!;
          const said = found.oracle!(n)(face);
          expect(said.valence).toBeCloseTo(10 * unit.valence, 12);
          expect(said.arousal).toBeCloseTo(2 + 2 * unit.arousal, 12);
        }
    },
  );

  test("drawn faces whose truth is gone, damaged or of other faces have no best predictor, and that is said", async () => {
    const gone = await held({ dataset: "synth", data: join(drawn, "gone") });
    expect(gone).toMatchObject({
      drawn: true,
      oracle: null,
      notes: [expect.stringMatching(/^The best possible .* left out: /)],
    });
    const broken = await temporary();
    await writeFile(join(broken, "truth.jsonl"), "{}\n");
    expect(await held({ data: broken })).toMatchObject({
      drawn: false,
      oracle: null,
      notes: [expect.stringMatching(/truth\.jsonl/)],
    });
    const other = await held({ dataset: "synth", data: drawn, faces: [{ clip: "nobody", frame: 2 }] });
    expect(other).toMatchObject({ oracle: null, notes: [expect.stringMatching(/has no frame 2 of clip nobody$/)] });
  });
});
