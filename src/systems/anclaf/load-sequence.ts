import { PipeError } from "../../errors.ts";
import { readCheckpoint } from "../../nn/checkpoint.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { combinerParameters } from "./combiner.ts";
import { type AnclafSource, bundled, type LoadedAnclaf, loadAnclaf } from "./load.ts";
import { pathOf } from "./scoring.ts";
import { sequenceHeadParameters, sequenceParameters } from "./sequence.ts";

export interface SequenceSource extends AnclafSource {
  /** What untrained weights are for: `concat` has parameters that the others have not. */
  readonly attention?: string | undefined;
  /** Of a model that was trained on features: the frame model whose encoder made them; default: the package's. */
  readonly encoder?: string | undefined;
}

/** A parameter that the sequence combiner has with the attention `concat` alone. */
export const CONCAT = "combiner.attention.W";

/**
 * The whole sequence combiner, from ZQ on. A checkpoint that was trained on features has no encoder: it is joined with that
 * of the frame model that made them.
 *
 * @throws PipeError when no weights are named and none come with the package, and when the two do not go together
 */
export async function loadSequence(source: SequenceSource): Promise<LoadedAnclaf> {
  const { preset, seed, attention, encoder } = source;
  const checkpoint = source.checkpoint ?? (seed === undefined ? bundled("anclaf-sa", preset) : undefined);
  if (checkpoint === undefined && seed === undefined)
    throw new PipeError(`No weights for sequences come with this package for the preset ${preset}.`, {
      hint: "Name a checkpoint, or a seed for untrained ones: --checkpoint FILE, --seed N",
    });
  const notes = checkpoint === undefined ? {} : (await readCheckpoint(checkpoint)).metadata;
  const scoreOf = (names: ReadonlySet<string>) =>
    attention === "concat" || names.has(CONCAT) ? ("concat" as const) : ("location" as const);
  const weights = { preset, checkpoint, seed };
  if (notes.input !== "features")
    return loadAnclaf(weights, (sizes, form, names) => sequenceParameters(sizes, form, scoreOf(names)));
  const frame = await loadAnclaf({ preset, checkpoint: pathOf({ preset, checkpoint: encoder }) }, combinerParameters);
  try {
    if (notes.encoder !== undefined && notes.encoder !== frame.digest)
      throw new PipeError(
        `${checkpoint} was trained on features of the checkpoint ${notes.encoder.slice(0, 12)}, and the frame model is ${frame.digest.slice(0, 12)}.`,
        { hint: "Name the frame model that made them: --encoder FILE" },
      );
    const head = await loadAnclaf(weights, (sizes, _, names) => sequenceHeadParameters(sizes, scoreOf(names)));
    return joined(frame, head);
  } catch (error) {
    frame.dispose();
    throw error;
  }
}

/** The frame combiner's encoder under the sequence combiner's head, which replaces its own. */
function joined(frame: LoadedAnclaf, head: LoadedAnclaf): LoadedAnclaf {
  const parameters: Parameters = new Map([...frame.parameters, ...head.parameters]);
  return {
    ...head,
    parameters,
    form: frame.form,
    dispose() {
      head.dispose();
      frame.dispose();
    },
  };
}
