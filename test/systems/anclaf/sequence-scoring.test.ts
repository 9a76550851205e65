import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readCheckpoint, writeCheckpoint } from "../../../src/nn/checkpoint.ts";
import { initialise } from "../../../src/nn/init.ts";
import { seeded } from "../../../src/random.ts";
import type { Image } from "../../../src/records.ts";
import { openFeatureEncoder } from "../../../src/systems/anclaf/features.ts";
import { openEncoder } from "../../../src/systems/anclaf/latents.ts";
import { checkpointFor } from "../../../src/systems/anclaf/load.ts";
import { presets } from "../../../src/systems/anclaf/presets.ts";
import type { SequenceInput } from "../../../src/systems/anclaf/sequence-input.ts";
import { openSequencePredictor } from "../../../src/systems/anclaf/sequence-predict.ts";
import { anclafSequenceDigests, openAnclafSequence } from "../../../src/systems/anclaf/sequence-scoring.ts";
import { variantParameters } from "../../../src/systems/anclaf/stage2.ts";
import { folder } from "../../cache/helpers.ts";
import { cut, memoryReader } from "./windows.ts";

let place: Awaited<ReturnType<typeof folder>>;
beforeAll(async () => {
  place = await folder();
});
afterAll(() => place[Symbol.asyncDispose]());

const RUN = { batch: 4, engine: "auto", provider: "cpu" } as const;
const N = 3;
const bundled = checkpointFor({ preset: "small" })!;
const input: SequenceInput = { kind: "features", preset: "small", sizes: presets.small };
const notes = { preset: "small", input: "features", n: String(N), trainedOn: "synthetic faces" };

async function checkpoint(name: string, more: Record<string, string>, variant: "s" | "sa" = "sa") {
  const path = join(place.path, `${name}.safetensors`);
  await writeCheckpoint(path, initialise(variantParameters({ variant, input }), 5), {
    metadata: { ...notes, ...more },
  });
  return path;
}

const face = (seed: number): Image => {
  const random = seeded(seed);
  return { width: 128, height: 128, data: Uint8Array.from({ length: 128 * 128 * 3 }, () => random.next() * 256) };
};

describe("ANCLaF-S and -SA as scorers", () => {
  it("says what the trained network says of a window, in native units, with the entropy of its attention", async () => {
    const path = await checkpoint("sa", { attention: "location", range: '{"valence":[-10,10],"arousal":[0,4]}' });
    await using scorer = await openAnclafSequence({ model: "anclaf-sa", checkpoint: path, encoder: undefined }, RUN);
    expect(scorer.n).toBe(N);
    expect(scorer.scale).toEqual({ valence: [-10, 10], arousal: [0, 4] });
    const faces = [face(1), face(2), face(3)];
    const steps = await scorer.encode(faces);
    const scores = await scorer.finish([steps[0]!, null, steps[2]!]);

    // The same by the way of the trained models' own predictor.
    const encoding = { preset: "small", checkpoint: bundled, batch: 2, engine: "auto" } as const;
    await using encoder = await openEncoder({ ...encoding, form: "onehot" });
    await using features = await openFeatureEncoder(encoding);
    const encoded = [...(await encoder.encode(faces.slice(0, 2))), ...(await encoder.encode(faces.slice(2)))];
    const own = await Promise.all(encoded.map(async ({ z }) => (await features.encode([z]))[0]!));
    const values = [[...own[0]!], null, [...own[2]!]];
    const track = { clip: "a", part: "test" as const, values, labels: values.map(() => [0, 0] as const) };
    const windows = cut([track], N);
    const network = { variant: "sa", input } as const;
    await using predictor = openSequencePredictor({
      network,
      weights: (await readCheckpoint(path)).weights,
      source: path,
      reader: memoryReader([track]),
      batch: 1,
      attended: true,
    });
    for await (const { affect, attention } of predictor.predict(windows))
      for (const t of [0, 2]) {
        expect(scores[t]!.valence).toBeCloseTo(affect[t * 2]! * 10, 2);
        expect(scores[t]!.arousal).toBeCloseTo((affect[t * 2 + 1]! + 1) * 2, 3);
        const weights = [...attention!.subarray(t * N, t * N + t)];
        const entropy = -weights.reduce((sum, w) => sum + (w > 0 ? w * Math.log(w) : 0), 0);
        expect(scores[t]!.entropy).toBeCloseTo(entropy, 4);
        for (let k = 0; k < 4; k++) expect(scores[t]!.quadrant![k]).toBeCloseTo(encoded[t]!.q[k]!, 4);
      }
    expect(scores[0]!.entropy).toBe(0);
  });

  it("of which the package has C-SA for 8 frames, on the features of the package's frame model", async () => {
    await using scorer = await openAnclafSequence(
      { model: "anclaf-sa", checkpoint: undefined, encoder: undefined },
      RUN,
    );
    expect(scorer.n).toBe(8);
    // Drawn faces have 50 frames a second.
    expect(scorer.interval).toBe(20_000);
    expect(scorer.notes).toEqual([]);
    expect(scorer.about).toMatch(/^anclaf-sa-8 \(small\), checkpoint [0-9a-f]{12}, trained on synthetic faces$/);
    expect(scorer.scale).toEqual({ valence: [-10, 10], arousal: [-10, 10] });
    expect(scorer.trainedOn).toBe("synthetic faces");
    expect(scorer.caution).toMatch(/^These numbers measure nobody\. anclaf-sa-8 has seen drawn faces alone/);
    const digests = await anclafSequenceDigests({ model: "anclaf-sa", checkpoint: undefined, encoder: undefined });
    expect(Object.keys(digests)).toEqual(["anclaf-sa", "encoder"]);
  });

  it("trained on people is cautioned against while its frame model saw drawn faces alone, and then no more", async () => {
    const path = await checkpoint("people", { attention: "location", trainedOn: "labelled videos" });
    const { weights } = await readCheckpoint(bundled);
    const encoder = join(place.path, "people-frame.safetensors");
    await writeCheckpoint(encoder, weights, { metadata: { preset: "small", zq: "onehot", trainedOn: "AFEW-VA" } });
    const caution = async (encoder: string | undefined) => {
      await using scorer = await openAnclafSequence({ model: "anclaf-sa", checkpoint: path, encoder }, RUN);
      expect(scorer.trainedOn).toBe("labelled videos");
      return scorer.caution;
    };
    expect(await caution(undefined)).toMatch(
      /^Do not rely on these numbers yet\. anclaf-sa-3 reads faces through a frame/,
    );
    expect(await caution(encoder)).toBeNull();
  });

  it("needs a checkpoint that is such a model, and the encoder that it was trained on", async () => {
    const refused = (model: "anclaf-s" | "anclaf-sa", path: string | undefined, encoder?: string) =>
      anclafSequenceDigests({ model, checkpoint: path, encoder }).then(
        () => "nothing was refused",
        (error: Error) => error.message,
      );
    expect(await refused("anclaf-s", undefined)).toMatch(/No weights of anclaf-s come with this package/);
    const s = await checkpoint("s", { attention: "none" }, "s");
    expect(await refused("anclaf-sa", s)).toMatch(/is no anclaf-sa: its attention is none/);
    expect(await refused("anclaf-s", bundled)).toMatch(/do not say what preset, window and attention/);
    const foreign = await checkpoint("foreign", { attention: "none", encoder: "0123456789abcdef" }, "s");
    const { digest } = await readCheckpoint(bundled);
    expect(await refused("anclaf-s", foreign)).toContain(
      `was trained on latents of the checkpoint 0123456789ab, and ${bundled} is ${digest.slice(0, 12)}`,
    );
    const own = await checkpoint("own", { attention: "none", encoder: digest, data: "another split" }, "s");
    expect(await refused("anclaf-s", own)).toBe("nothing was refused");
    const copy = join(place.path, "copy.safetensors");
    await copyFile(bundled, copy);
    const digests = await anclafSequenceDigests({ model: "anclaf-s", checkpoint: s, encoder: copy });
    expect(Object.keys(digests)).toEqual(["anclaf-s", "encoder"]);
  });
});
