import { PipeError } from "../../errors.ts";
import { featureSize } from "./combiner.ts";
import {
  ANCLAF_PRESETS,
  type AnclafPreset,
  type AnclafSizes,
  presets,
  ZQ_FORMS,
  type ZqForm,
  zqShape,
} from "./presets.ts";

/**
 * What a sequence model reads at each step: latents ZQ [C, side, side], on which the whole combiner is trained, or the
 * features of a frozen encoder [{@link featureSize}], on which the part behind it is.
 */
export type SequenceInput = {
  readonly sizes: AnclafSizes;
  /** The sizes' name, which also says how they are trained. */
  readonly preset: AnclafPreset;
} & ({ readonly kind: "latents"; readonly form: ZqForm } | { readonly kind: "features" });

/** What steps of this shape are. Throws a PipeError that tells which shapes there are when they are nothing known. */
export function sequenceInput(shape: readonly number[]): SequenceInput {
  const found = known().find((one) => one.shape.join() === shape.join());
  if (found) return found.input;
  throw new PipeError(`ANCLaF's sequence models do not read steps of the shape [${shape.join(", ")}].`, {
    hint: `They read ${known()
      .map(({ shape, input }) => `[${shape.join(", ")}] (${input.kind}, ${input.preset})`)
      .join(", ")}: what extract-latents, extract-faces and extract-features make.`,
  });
}

/** Shape of one step's values. */
export function inputShape(input: SequenceInput): readonly number[] {
  return input.kind === "features" ? [featureSize(input.sizes)] : zqShape(input.sizes, input.form);
}

function known(): { shape: readonly number[]; input: SequenceInput }[] {
  const inputs = ANCLAF_PRESETS.flatMap((preset): SequenceInput[] => [
    ...ZQ_FORMS.map((form) => ({ kind: "latents" as const, preset, sizes: presets[preset], form })),
    { kind: "features", preset, sizes: presets[preset] },
  ]);
  return inputs.map((input) => ({ shape: inputShape(input), input }));
}
