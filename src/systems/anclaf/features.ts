import * as tf from "@tensorflow/tfjs-core";
import { type Compiled, type CompileOptions, compile } from "../../compile/index.ts";
import { PipeError } from "../../errors.ts";
import type { Activation } from "../../nn/layers.ts";
import { sizeOf } from "../../nn/weights.ts";
import { combinerEncoder, combinerParameters, featureSize } from "./combiner.ts";
import { loadAnclaf } from "./load.ts";
import { type AnclafPreset, presets, zqShape } from "./presets.ts";

export interface FeatureEncoderOptions extends Omit<CompileOptions, "name"> {
  readonly preset: AnclafPreset;
  /** A `.safetensors` file that has a frame combiner. */
  readonly checkpoint: string;
  /** Latents in one run; fewer are filled up, so that there is one graph. */
  readonly batch: number;
}

/** The frozen encoder of a trained frame combiner, opened; whoever opens it disposes it. */
export interface FeatureEncoder extends AsyncDisposable {
  /** Where its numbers come from: "checkpoint 0123456789ab", with what it was trained on where the file says so. */
  readonly weights: string;
  /** sha256 of the checkpoint. */
  readonly digest: string;
  readonly engine: Compiled["engine"];
  /** Of the ZQ that it reads, channel-first [C, H, W]. */
  readonly latentShape: readonly number[];
  /** Of the features that it gives, [{@link featureSize}]. */
  readonly shape: readonly number[];
  /** 1..batch latents to their features x_t, each with memory of its own. One's features do not depend on the others. */
  encode(latents: readonly Float32Array[]): Promise<Float32Array[]>;
}

export async function openFeatureEncoder(options: FeatureEncoderOptions): Promise<FeatureEncoder> {
  const { preset, checkpoint, batch, engine, provider, threads } = options;
  const sizes = presets[preset];
  const loaded = await loadAnclaf({ preset, checkpoint }, combinerParameters);
  let compiled: Compiled;
  try {
    compiled = compile(
      ({ zq }) => ({ features: combinerEncoder(loaded.parameters, tf.transpose(zq!, [0, 2, 3, 1]) as Activation) }),
      {
        name: `anclaf-features (${preset})`,
        ...(engine !== undefined && { engine }),
        ...(provider !== undefined && { provider }),
        ...(threads !== undefined && { threads }),
      },
    );
  } catch (error) {
    loaded.dispose();
    throw error;
  }
  const latentShape = zqShape(sizes, loaded.form);
  const [size, features] = [sizeOf(latentShape), featureSize(sizes)];
  return {
    weights: loaded.weights,
    digest: loaded.digest,
    engine: compiled.engine,
    latentShape,
    shape: [features],
    async encode(latents) {
      if (latents.length < 1 || latents.length > batch)
        throw new PipeError(`${compiled.name} takes 1 to ${batch} latents at a time, not ${latents.length}.`);
      const data = new Float32Array(batch * size);
      for (const [i, latent] of latents.entries()) data.set(latent, i * size);
      const said = (await compiled.run({ zq: { data, shape: [batch, ...latentShape] } })).features!
        .data as Float32Array;
      return latents.map((_, i) => {
        const own = said.slice(i * features, (i + 1) * features);
        if (own.every(Number.isFinite)) return own;
        throw new PipeError(`${compiled.name} gave a feature that is not finite.`, {
          hint: `Its weights (${loaded.weights}) may come from a training that diverged.`,
        });
      });
    },
    async [Symbol.asyncDispose]() {
      await compiled.dispose();
      loaded.dispose();
    },
  };
}
