import { type Compiled, type CompileOptions, compile, type Program, type Value } from "../../compile/index.ts";
import { PipeError } from "../../errors.ts";
import type { Image } from "../../records.ts";
import { encoder } from "./encoder.ts";
import { type AnclafSource, type LoadedAnclaf, loadAnclaf } from "./load.ts";
import { inputSide, presets, type ZqForm, zqShape } from "./presets.ts";

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
  /** sha256 of the checkpoint, or of what the untrained weights would make. */
  readonly digest: string;
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
    digest: loaded.digest,
    engine: compiled.engine,
    shape,
    async encode(images) {
      if (images.length < 1 || images.length > batch)
        throw new PipeError(`${compiled.name} takes 1 to ${batch} images at a time, not ${images.length}.`);
      const rooms = roomsFor(images.length, batch);
      const parts = rooms.map((room, i) => {
        const own = images.slice(i * room, (i + 1) * room);
        return encodePart(compiled, own, room, inputSide(sizes));
      });
      const encoded = (await Promise.all(parts)).flat();
      for (const { q } of encoded) checkFinite(q, loaded.weights);
      return encoded;
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
 * The batch sizes that images are run in, all alike. A graph is compiled and kept for each size that occurs, so there are
 * two, the full batch and a quarter of it: what is left at a video's end goes in quarters, the last one filled up with
 * black images. Quarters cost a few per cent more an image than full batches (measured), and give the same bits.
 */
function roomsFor(images: number, batch: number): number[] {
  const quarter = Math.ceil(batch / 4);
  const quarters = Math.ceil(images / quarter);
  return quarters * quarter < batch ? new Array<number>(quarters).fill(quarter) : [batch];
}

async function encodePart(
  compiled: Compiled,
  images: readonly Image[],
  room: number,
  side: number,
): Promise<EncodedImage[]> {
  const pixels = { data: gather(images, room, side), shape: [room, side, side, 3] };
  const { z, q } = await compiled.run({ pixels });
  // Copies, so that a kept ZQ does not keep the whole batch.
  const row = (data: Value["data"], i: number) =>
    (data as Float32Array).slice((i * data.length) / room, ((i + 1) * data.length) / room);
  return images.map((_, i) => ({ z: row(z!.data, i), q: row(q!.data, i) }));
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

function checkFinite(q: Float32Array, weights: string): void {
  if (q.every(Number.isFinite)) return;
  throw new PipeError(`ANCLaF's encoder gave a Q that is not finite: ${Array.from(q).join(", ")}.`, {
    hint: `Its weights (${weights}) may come from a training that diverged.`,
  });
}
