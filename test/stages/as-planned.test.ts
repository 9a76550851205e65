import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Json } from "../../src/digest.ts";
import { PipeError } from "../../src/errors.ts";
import { writeCheckpoint } from "../../src/nn/checkpoint.ts";
import { initialise } from "../../src/nn/init.ts";
import { asPlanned } from "../../src/stages/as-planned.ts";
import { looseContext } from "../../src/stages/context.ts";
import cropFaces from "../../src/stages/crop-faces.ts";
import type { BoundStage, StageDefinition } from "../../src/stages/define.ts";
import encodeLatents from "../../src/stages/encode-latents.ts";
import predictAffect from "../../src/stages/predict-affect.ts";
import { checkpointFor } from "../../src/systems/anclaf/load.ts";
import { discriminatorParameters, generatorParameters } from "../../src/systems/anclaf/networks.ts";
import { presets } from "../../src/systems/anclaf/presets.ts";
import { node, onnxModel, tensor, value } from "../compile/write-onnx.ts";
import { hasMedia, media } from "../media.ts";
import { temporary } from "../pipelines/temporary.ts";

const planOf = (stage: string, models: Record<string, string>): Json => ({
  source: "0",
  steps: [
    { stage: "before", models: { onnx: "of another step" } },
    { stage, models },
  ],
});

it("takes what was planned, and names what was replaced", async () => {
  const a = "a".repeat(64);
  await using context = looseContext({ keyParts: planOf("predict-affect", { onnx: a }) });
  asPlanned(context, { onnx: a, other: "not planned" });
  expect(() => asPlanned(context, { onnx: "b".repeat(64) })).toThrow(
    'predict-affect: the file of its model "onnx" was replaced after the run was planned: it was aaaaaaaaaaaa and is bbbbbbbbbbbb.',
  );
  await using loose = looseContext();
  asPlanned(loose, { onnx: a });
});

/** Plans a stage, lets `replace` change its model's file, and begins: what the second, opened, is said to be. */
async function replaced(
  stage: StageDefinition & ((options: never) => unknown),
  options: object,
  replace: () => Promise<unknown>,
): Promise<unknown> {
  const parsed = stage.options.parse(options);
  const models = await stage.models!(parsed);
  const begin = async () => {
    await using context = looseContext({ keyParts: planOf(stage.name, models), note: () => {} });
    const bound = (stage as unknown as (options: object) => BoundStage)(options);
    for await (const _ of bound.run(context)((async function* () {})())) expect.unreachable();
  };
  await begin();
  await replace();
  return begin().then(
    () => undefined,
    (error: unknown) => error,
  );
}

const linear = (sign: number) =>
  onnxModel({
    nodes: [node("Flatten", ["x"], ["flat"]), node("MatMul", ["flat", "w"], ["va"])],
    constants: [tensor("w", [48, 2], "f32", new Float32Array(96).fill(sign))],
    inputs: [value("x", "f32", ["n", 3, 4, 4])],
    outputs: [value("va", "f32", ["n", 2])],
  });

it("a scorer's file that is replaced between plan and use is refused, and so is its spec", async () => {
  const file = join(await temporary(), "own.onnx");
  const yaml = file.replace(".onnx", ".yaml");
  const write = async (sign: number, words: string) => {
    await writeFile(file, linear(sign));
    await writeFile(yaml, `outputs: { va: ${words} }`);
  };
  await write(1, "valence_arousal");
  const model = await replaced(predictAffect as never, { model: file }, () => write(-1, "valence_arousal"));
  expect(model).toBeInstanceOf(PipeError);
  expect((model as PipeError).message).toMatch(/predict-affect: the file of its model "onnx" was replaced/);
  const spec = await replaced(predictAffect as never, { model: file }, () => write(-1, "arousal_valence"));
  expect((spec as PipeError).message).toMatch(/predict-affect: the file of its model "spec" was replaced/);
});

it("a checkpoint that is replaced between plan and use is refused by who encodes and who scores", async () => {
  const file = join(await temporary(), "model.safetensors");
  const bundled = checkpointFor({ preset: "small" })!;
  const sizes = presets.small;
  await copyFile(bundled, file);
  const other = () =>
    writeCheckpoint(file, initialise([...generatorParameters(sizes), ...discriminatorParameters(sizes)], 3));
  const encoding = await replaced(encodeLatents as never, { checkpoint: file }, other);
  expect((encoding as PipeError).message).toMatch(/encode-latents: the file of its model "anclaf" was replaced/);
  await copyFile(bundled, file);
  const { readCheckpoint } = await import("../../src/nn/checkpoint.ts");
  const { weights } = await readCheckpoint(bundled);
  const scoring = await replaced(predictAffect as never, { checkpoint: file }, () =>
    writeCheckpoint(file, weights, { metadata: { note: "the same numbers, another file" } }),
  );
  expect((scoring as PipeError).message).toMatch(/predict-affect: the file of its model "anclaf-frame" was replaced/);
});

it.skipIf(!hasMedia)("a detector that is replaced between plan and use is refused", async () => {
  const file = join(await temporary(), "detector.onnx");
  await copyFile(media("models", "yunet_n_dynamic.onnx"), file);
  const { appendFile } = await import("node:fs/promises");
  // An unknown field, which changes nothing but the bytes.
  const error = await replaced(cropFaces as never, { detector: file }, () =>
    appendFile(file, Uint8Array.of(0xfa, 0x7f, 0)),
  );
  expect((error as PipeError).message).toMatch(/crop-faces: the file of its model "detector" was replaced/);
});
