import * as tf from "@tensorflow/tfjs-core";
import { type Compiled, type CompileOptions, compile, type Program } from "../../compile/index.ts";
import { PipeError } from "../../errors.ts";
import { toNative } from "../../nn/label-scale.ts";
import { disposeParameters, type Parameters, toParameters } from "../../nn/parameters.ts";
import { conform, type Weights } from "../../nn/weights.ts";
import { combinerParameters } from "./combiner.ts";
import { discriminatorParameters, generatorParameters } from "./networks.ts";
import { predictions } from "./predictions.ts";
import { type AnclafSizes, inputSide, QUADRANTS, type ZqForm } from "./presets.ts";

export interface PredictorOptions extends Omit<CompileOptions, "name"> {
  readonly sizes: AnclafSizes;
  readonly form: ZqForm;
  /** `generator.*`, `discriminator.*` and `combiner.*`, as a checkpoint has them. */
  readonly weights: Weights;
  /** What the weights came from, for errors. */
  readonly source: string;
  /** Lowest and highest label in native units. Without it native is −1..1. */
  readonly range?: Readonly<Record<"valence" | "arousal", readonly [low: number, high: number]>>;
  /** Images in one run; fewer are filled up with black ones, so that an image's answer does not depend on the others. */
  readonly batch: number;
  /** Whether to give ZQ and the reconstruction too: they are far larger than the rest. Default neither. */
  readonly keep?: { readonly latent?: boolean; readonly reconstruction?: boolean };
}

/** What is said of n faces; row i of each belongs to face i. */
export interface FacePredictions {
  /** [n, 2]: valence, arousal, −1..1 as scaled in training; may lie outside. */
  readonly affect: Float32Array;
  /** [n], native units. */
  readonly valence: Float32Array;
  readonly arousal: Float32Array;
  /** [n, 4] probabilities, ids as in `quadrantOf`. */
  readonly quadrant: Float32Array;
  /** ZQ, channel-first [n, C, image/4, image/4]; empty unless kept. */
  readonly latent: Float32Array;
  /** G(I) [n, image, image, 3], −1..1; empty unless kept. */
  readonly reconstruction: Float32Array;
}

/** Trained networks, opened; whoever opens them disposes them. */
export interface Predictor extends AsyncDisposable {
  readonly engine: Compiled["engine"];
  /**
   * Pixels of any number of faces, uint8 RGB [n, input, input, 3].
   * Throws a PipeError when they are no whole number of faces, or when an answer is not finite.
   */
  predict(pixels: Uint8Array): Promise<FacePredictions>;
}

/** Opens frame ANCLaF (eq. 3). Throws a PipeError that names each tensor when the weights do not fit. */
export function openPredictor(options: PredictorOptions): Predictor {
  const { sizes, form, batch, keep = {}, range } = options;
  const specs = {
    generator: generatorParameters(sizes),
    discriminator: discriminatorParameters(sizes),
    combiner: combinerParameters(sizes, form),
  };
  const parameters = toParameters(conform(options.weights, Object.values(specs).flat(), options.source));
  const parts = { generator: parameters, discriminator: parameters, combiner: parameters };
  const compiled = compileOrFree(
    ({ pixels }) => {
      const { latent, reconstruction, ...said } = predictions(parts, sizes, form, pixels!);
      return {
        ...said,
        ...(keep.latent && { latent: tf.transpose(latent, [0, 3, 1, 2]) }),
        ...(keep.reconstruction && { reconstruction }),
      };
    },
    options,
    parameters,
  );
  const side = inputSide(sizes);
  const size = side ** 2 * 3;
  return {
    engine: compiled.engine,
    async predict(pixels) {
      if (pixels.length % size !== 0)
        throw new PipeError(`${pixels.length} bytes are no whole number of ${side}×${side} RGB faces.`);
      const faces = pixels.length / size;
      const found: Record<string, Float32Array> = { affect: new Float32Array(faces * 2) };
      found.quadrant = new Float32Array(faces * QUADRANTS);
      for (let from = 0; from < faces; from += batch) {
        const count = Math.min(batch, faces - from);
        const room = new Uint8Array(batch * size);
        room.set(pixels.subarray(from * size, (from + count) * size));
        const outputs = await compiled.run({ pixels: { data: room, shape: [batch, side, side, 3] } });
        for (const [name, { data }] of Object.entries(outputs)) {
          const one = data.length / batch;
          found[name] ??= new Float32Array(faces * one);
          found[name].set((data as Float32Array).subarray(0, count * one), from * one);
        }
      }
      const affect = found.affect!;
      const bad = affect.findIndex((x) => !Number.isFinite(x));
      if (bad >= 0)
        throw new PipeError(`The prediction for face ${bad >> 1} of ${faces} is ${affect[bad]}.`, {
          hint: `The weights (${options.source}) may come from a training that diverged.`,
        });
      const native = (dimension: 0 | 1, scale: readonly [number, number] = [-1, 1]) =>
        Float32Array.from({ length: faces }, (_, i) => toNative(affect[i * 2 + dimension]!, scale));
      return {
        affect,
        valence: native(0, range?.valence),
        arousal: native(1, range?.arousal),
        quadrant: found.quadrant,
        latent: found.latent ?? new Float32Array(0),
        reconstruction: found.reconstruction ?? new Float32Array(0),
      };
    },
    async [Symbol.asyncDispose]() {
      await compiled.dispose();
      disposeParameters(parameters);
    },
  };
}

function compileOrFree(program: Program, options: PredictorOptions, parameters: Parameters): Compiled {
  const { engine, provider, threads } = options;
  try {
    return compile(program, {
      name: "anclaf-frame",
      ...(engine !== undefined && { engine }),
      ...(provider !== undefined && { provider }),
      ...(threads !== undefined && { threads }),
    });
  } catch (error) {
    disposeParameters(parameters);
    throw error;
  }
}
