import { type Compiled, type CompileOptions, compile, type Program } from "../../compile/index.ts";
import { PipeError } from "../../errors.ts";
import type { Image } from "../../records.ts";
import { encoder } from "./encoder.ts";
import { type AnclafSource, type LoadedAnclaf, loadAnclaf } from "./load.ts";
import { presets, QUADRANTS, type ZqForm, zqShape } from "./presets.ts";

export interface EncoderOptions extends AnclafSource, Omit<CompileOptions, "name"> {
  readonly form: ZqForm;
  /** Most images in one call of {@link ImageEncoder.encode}. */
  readonly batch: number;
}

/** ZQ of one image. Each owns its memory, so that a kept one holds no batch alive. */
export interface EncodedImage {
  /** Channel-first, row-major over {@link ImageEncoder.shape}. */
  readonly z: Float32Array;
  /** Quadrant probabilities, 4. */
  readonly q: Float32Array;
}

/** An opened encoder; whoever opens it disposes it. */
export interface ImageEncoder extends AsyncDisposable {
  readonly weights: string;
  readonly engine: Compiled["engine"];
  /** [C, H, W] of one ZQ. */
  readonly shape: readonly [number, number, number];
  /** 1..batch images of the preset's size; a PipeError otherwise. An image's ZQ does not depend on the others. */
  encode(images: readonly Image[]): Promise<EncodedImage[]>;
}

export async function openEncoder(options: EncoderOptions): Promise<ImageEncoder> {
  const { preset, form, batch } = options;
  const sizes = presets[preset];
  const loaded = await loadAnclaf(options);
  const compiled = compileWith(encoder(loaded.parameters, sizes, form), options, loaded);
  const shape = zqShape(sizes, form);
  return {
    weights: loaded.weights,
    engine: compiled.engine,
    shape,
    async encode(images) {
      if (images.length < 1 || images.length > batch)
        throw new PipeError(`${compiled.name} takes 1 to ${batch} images at a time, not ${images.length}.`);
      const room = roomFor(images.length, batch);
      const { z, q } = await compiled.run({
        pixels: { data: gather(images, room, sizes.image), shape: [room, sizes.image, sizes.image, 3] },
      });
      const length = shape[0] * shape[1] * shape[2];
      return images.map((_, i) => ({
        z: (z!.data as Float32Array).slice(i * length, (i + 1) * length),
        q: finite((q!.data as Float32Array).slice(i * QUADRANTS, (i + 1) * QUADRANTS), loaded.weights),
      }));
    },
    async [Symbol.asyncDispose]() {
      await compiled.dispose();
      loaded.dispose();
    },
  };
}

function compileWith(program: Program, options: EncoderOptions, loaded: LoadedAnclaf): Compiled {
  const { preset, engine, provider, threads } = options;
  try {
    return compile(program, {
      name: `anclaf-encoder (${preset})`,
      ...(engine !== undefined && { engine }),
      ...(provider !== undefined && { provider }),
      ...(threads !== undefined && { threads }),
    });
  } catch (error) {
    loaded.dispose();
    throw error;
  }
}

/**
 * A graph is compiled for each batch size that occurs, so only powers of two and the full batch do: a smaller batch is
 * filled up with black images, at less than double the work and without a graph for every remainder.
 */
function roomFor(images: number, batch: number): number {
  return Math.min(batch, 2 ** Math.ceil(Math.log2(images)));
}

function gather(images: readonly Image[], room: number, side: number): Uint8Array {
  const pixels = new Uint8Array(room * side * side * 3);
  images.forEach(({ width, height, data }, i) => {
    if (width !== side || height !== side)
      throw new PipeError(`ANCLaF's encoder takes crops of ${side}×${side} pixels; this one is ${width}×${height}.`, {
        hint: `Set the crop stage's size to ${side}.`,
      });
    pixels.set(data, i * side * side * 3);
  });
  return pixels;
}

function finite(q: Float32Array, weights: string): Float32Array {
  if (q.every(Number.isFinite)) return q;
  throw new PipeError(`ANCLaF's encoder gave a Q that is not finite: ${Array.from(q).join(", ")}.`, {
    hint: `Its weights (${weights}) may come from a training that diverged.`,
  });
}
