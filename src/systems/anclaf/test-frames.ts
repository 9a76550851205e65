import type { CompileOptions } from "../../compile/index.ts";
import { affectMetrics, METRICS } from "../../nn/metrics.ts";
import type { Weights } from "../../nn/weights.ts";
import { openPredictor, type Predictor } from "./predict.ts";
import { type AnclafPreset, presets, type ZqForm } from "./presets.ts";
import { type ReadableFaces, type ReconstructionScore, reconstructionScores } from "./reconstruction.ts";
import { spread } from "./train.ts";

/** Faces with their labels; row i of each array is face i. A face store. */
export interface LabelledFaces extends ReadableFaces {
  /** Lowest and highest label in native units. */
  readonly range: Readonly<Record<"valence" | "arousal", readonly [low: number, high: number]>>;
  readonly clips: readonly { readonly id: string }[];
  /** Index into `clips`. */
  readonly clipOf: Int32Array;
  readonly frameOf: Int32Array;
  /** Native units. */
  readonly valence: Float32Array;
  readonly arousal: Float32Array;
}

export interface TestOptions extends Pick<CompileOptions, "engine" | "provider" | "threads"> {
  /** The faces of the fold's own people, whom nothing was trained on. */
  readonly indices: Int32Array;
  readonly weights: Weights;
  readonly preset: AnclafPreset;
  readonly form: ZqForm;
  /** Decides the distortions that G is to clean. */
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** A face with its labels and what was said of it, native units. */
export interface TestedFace {
  readonly clip: string;
  readonly frame: number;
  readonly valence: number;
  readonly arousal: number;
  readonly predictedValence: number;
  readonly predictedArousal: number;
}

export interface FrameTest {
  readonly faces: readonly TestedFace[];
  /** Over all faces: `rmse V`, `rmse A`, `cor V`, … */
  readonly metrics: Readonly<Record<string, number>>;
  /** Of at most 200 faces, evenly spread. */
  readonly reconstruction: readonly ReconstructionScore[];
}

/** What trained networks say of the faces they are tested on, and how well G cleans them. */
export async function testFrames(faces: LabelledFaces, options: TestOptions): Promise<FrameTest> {
  const { indices, weights, preset, form, seed, signal, engine, provider, threads } = options;
  await using predictor = openPredictor({
    sizes: presets[preset],
    form,
    weights,
    source: "the training",
    range: faces.range,
    batch: Math.min(FACES_A_RUN, indices.length),
    keep: { reconstruction: true },
    ...(engine !== undefined && { engine }),
    ...(provider !== undefined && { provider }),
    ...(threads !== undefined && { threads }),
  });
  const tested = await predictAll(predictor, faces, indices, signal);
  const reconstruct = async (pixels: Uint8Array) => (await predictor.predict(pixels)).reconstruction;
  const looked = { indices: spread(indices, RECONSTRUCTED), seed, batch: FACES_A_RUN, signal };
  return {
    faces: tested,
    metrics: metricsOf(tested),
    reconstruction: await reconstructionScores(faces, reconstruct, looked),
  };
}

const FACES_A_RUN = 50;
/** Each is distorted and cleaned in seven ways. */
const RECONSTRUCTED = 200;

async function predictAll(predictor: Predictor, faces: LabelledFaces, indices: Int32Array, signal: AbortSignal) {
  const tested: TestedFace[] = [];
  for (let from = 0; from < indices.length; from += FACES_A_RUN) {
    signal.throwIfAborted();
    const own = indices.subarray(from, from + FACES_A_RUN);
    const pixels = new Uint8Array(own.length * faces.side ** 2 * 3);
    await faces.read(own, pixels);
    const { valence, arousal } = await predictor.predict(pixels);
    for (const [i, face] of own.entries())
      tested.push({
        clip: faces.clips[faces.clipOf[face]!]!.id,
        frame: faces.frameOf[face]!,
        valence: faces.valence[face]!,
        arousal: faces.arousal[face]!,
        predictedValence: valence[i]!,
        predictedArousal: arousal[i]!,
      });
  }
  return tested;
}

function metricsOf(faces: readonly TestedFace[]): Record<string, number> {
  const scores = affectMetrics(
    { valence: faces.map((face) => face.predictedValence), arousal: faces.map((face) => face.predictedArousal) },
    { valence: faces.map((face) => face.valence), arousal: faces.map((face) => face.arousal) },
  );
  const entries = METRICS.flatMap((metric) => [
    [`${metric} V`, scores.valence[metric]] as const,
    [`${metric} A`, scores.arousal[metric]] as const,
  ]);
  return Object.fromEntries(entries);
}
