import { join } from "node:path";
import { expect, it } from "vitest";
import { readDataset } from "../../src/datasets/read.ts";
import { synthFaces } from "../../src/datasets/synth/faces.ts";
import { readFacesTruth } from "../../src/datasets/synth/faces-truth.ts";
import { afewClip, folder } from "./trees.ts";

it.each(["afew-va", "sewa"] as const)(
  "reads what is drawn in the layout of %s, label for label, at its own rate",
  async (layout) => {
    await using at = await folder();
    const output = join(at.path, "drawn");
    await synthFaces({ output, layout, clips: 2, frames: 3, rate: 25 });
    const dataset = await readDataset("synth", output);
    expect(dataset).toMatchObject({ name: "synth", labelled: 6, skipped: [], points: layout === "sewa" ? 49 : 68 });
    const truth = await readFacesTruth(output);
    expect(dataset.clips.map(({ id }) => id)).toEqual(truth.map(({ clip }) => clip));
    for (const [i, { media, frames }] of dataset.clips.entries()) {
      expect(frames.map(({ id }) => id)).toEqual([0, 1, 2]);
      const [scale, digits] = layout === "sewa" ? [1, 4] : [10, 0];
      const near = Math.max(0.51 * 10 ** -digits, 1e-9);
      for (const [k, frame] of frames.entries()) {
        expect(Math.abs(frame.valence - scale * truth[i]!.valence.label[k]!)).toBeLessThanOrEqual(near);
        expect(Math.abs(frame.arousal - scale * truth[i]!.arousal.label[k]!)).toBeLessThanOrEqual(near);
      }
      if (media.kind === "video") expect(media).toMatchObject({ first: 0, rate: 25 });
    }
  },
);

it("reads the real layouts under their names", async () => {
  await using at = await folder();
  await afewClip(at.path, "001", "Ann", 1);
  expect((await readDataset("afew-va", at.path)).name).toBe("afew-va");
  await expect(readDataset("sewa", at.path)).rejects.toThrow("no SEWA segment");
  await expect(readDataset("synth", at.path)).rejects.toThrow("oracle.json");
});
