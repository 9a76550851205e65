import { PipeError } from "../../errors.ts";
import { writeCheckpoint } from "../checkpoint.ts";
import type { StoredType } from "../safetensors.ts";
import type { Weights } from "../weights.ts";

/**
 * What a file of weights says of itself, so that a stranger can tell what it is and make it again. No clock belongs here:
 * equal trainings give equal bytes, and what is made with the weights is known by their digest.
 */
export interface About {
  /** The data, in words: "3 folds of AFEW-VA", "drawn faces, seed 3". */
  readonly trainedOn: string;
  /** The command that made it. */
  readonly command: string;
  readonly seed: number;
  /** Metrics by name, on the data that the words before them name. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Anything else, by name. */
  readonly more?: Readonly<Record<string, string>>;
}

/**
 * Publishes plain weights for inference, without optimisers, as one `.safetensors` file; `readCheckpoint` reads it.
 * Float16 by default: half the size, each number within 2⁻¹¹ of itself. Returns the sha256 of the file.
 * Throws a PipeError when parts share a name, or when a number does not fit.
 */
export async function exportWeights(
  path: string,
  parts: readonly Weights[],
  about: About,
  dtype: StoredType = "f16",
): Promise<string> {
  const all = new Map(parts.flatMap((weights) => [...weights]));
  if (all.size < parts.reduce((sum, { size }) => sum + size, 0))
    throw new PipeError(`${path}: two parts have a parameter of the same name.`);
  const most = dtype === "f16" ? LARGEST_HALF : Number.MAX_VALUE;
  for (const [name, { data }] of all)
    for (const x of data)
      if (!(Math.abs(x) <= most))
        throw new PipeError(`${path}: "${name}" holds ${x}, which ${dtype} cannot.`, {
          hint: dtype === "f16" ? "Write it as f32, and look at the training: weights of this size are odd." : "",
        });
  const { trainedOn, command, seed, metrics, more = {} } = about;
  const notes = { trainedOn, command, seed: String(seed), metrics: JSON.stringify(metrics) };
  return writeCheckpoint(path, all, { metadata: { ...more, ...notes }, dtype });
}

const LARGEST_HALF = 65504;
