import type * as tf from "@tensorflow/tfjs-core";
import { type Compiled, type CompileOptions, compile } from "../../compile/index.ts";
import { PipeError } from "../../errors.ts";
import { type Checkpoint, readCheckpoint } from "../../nn/checkpoint.ts";
import { disposeParameters, toParameters } from "../../nn/parameters.ts";
import { conform, sizeOf } from "../../nn/weights.ts";
import type { Image } from "../../records.ts";
import type { FaceScore, ScorerRun, SequenceScorer, StepWindow } from "../scoring.ts";
import { drawnCaution } from "../trained-on.ts";
import { openFeatureEncoder } from "./features.ts";
import { type EncodedImage, openEncoder } from "./latents.ts";
import { bundled } from "./load.ts";
import { ANCLAF_PRESETS, presets, QUADRANTS, ZQ_FORMS } from "./presets.ts";
import { pathOf, scaleIn, trainedOn } from "./scoring.ts";
import { inputShape, type SequenceInput } from "./sequence-input.ts";
import { type SequenceNetwork, variantParameters, windowAffect } from "./stage2.ts";

export interface SequenceScorerSource {
  readonly model: "anclaf-s" | "anclaf-sa";
  /** What train-seq wrote; default for anclaf-sa: that of the package. */
  readonly checkpoint: string | undefined;
  /** G, D and frame combiner that made the latents it was trained on; default: those of the package for its preset. */
  readonly encoder: string | undefined;
}

/** sha256 of both checkpoints. Throws a PipeError when they cannot be read, or do not go together. */
export async function anclafSequenceDigests(source: SequenceScorerSource): Promise<Record<string, string>> {
  const { sequence, encoder } = await read(source);
  return { [source.model]: sequence.digest, encoder: encoder.digest };
}

/**
 * ANCLaF-S or -SA (§3.3) as a scorer: G and D give each face's ZQ, of which the combiner takes windows of as many frames as it
 * was trained on, its state fresh at each window's begin. Native units are those of its labels; entropy is that of its
 * attention weights; quadrant and confidence are D's.
 *
 * @throws PipeError when the checkpoint is no such model, or was trained on latents of another encoder than is given
 */
export async function openAnclafSequence(source: SequenceScorerSource, run: ScorerRun): Promise<SequenceScorer> {
  const { sequence, path, encoder, encoderPath, input, network, n } = await read(source);
  const { batch, engine, provider, threads } = run;
  const how = { engine, provider, ...(threads !== undefined && { threads }) };
  const scale = scaleIn(sequence.metadata.range, path);
  const [shape, size] = [inputShape(input), sizeOf(inputShape(input))];
  const opened: AsyncDisposable[] = [];
  const close = async () => {
    for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]();
  };
  const keep = <T extends AsyncDisposable>(each: T): T => {
    opened.push(each);
    return each;
  };
  try {
    const window = keep(compileWindow(sequence, path, network, source.model, how));
    const form = input.kind === "latents" ? input.form : "onehot";
    const encoding = { preset: input.preset, checkpoint: encoderPath, batch, ...how };
    const images = keep(await openEncoder({ ...encoding, form }));
    const features = input.kind === "features" ? keep(await openFeatureEncoder(encoding)) : null;
    const name = `${source.model}-${n}`;
    return {
      kind: "sequence",
      n,
      interval: intervalIn(sequence.metadata),
      models: { [source.model]: sequence.digest, encoder: encoder.digest },
      about: `${name} (${input.preset}), checkpoint ${sequence.digest.slice(0, 12)}${trainedOn(sequence.metadata)}`,
      engine: { ...window.engine },
      scale,
      trainedOn: sequence.metadata.trainedOn ?? null,
      caution: drawnCaution(name, sequence.metadata.trainedOn, encoder.metadata.trainedOn),
      notes: [...unknownEncoder(path, sequence), ...unknownInterval(path, sequence)],
      async encode(faces: readonly Image[]) {
        const encoded = await images.encode(faces);
        const values = features ? await features.encode(encoded.map(({ z }) => z)) : encoded.map(({ z }) => z);
        return values.map((own, i) => withQuadrants(own, encoded[i]!));
      },
      async finish(steps) {
        const said = await window.run(feedOf(steps, n, size, shape));
        const attention = (said.attention?.data as Float32Array | undefined) ?? null;
        return steps.map((step, t) => scoreOf(t, n, said.affect!.data as Float32Array, attention, step, scale));
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A warning where nobody can say whether model and encoder belong together. */
function unknownEncoder(path: string, { metadata }: Checkpoint): string[] {
  if (metadata.encoder !== undefined) return [];
  return [
    `${path} does not say which frame model made the latents it was trained on; it is taken to be the one in use.`,
  ];
}

/** Microseconds between the steps that a model was trained on; null where its file does not say. */
function intervalIn({ interval }: Checkpoint["metadata"]): number | null {
  const value = Number(interval);
  return value > 0 && Number.isFinite(value) ? value : null;
}

function unknownInterval(path: string, { metadata }: Checkpoint): string[] {
  if (intervalIn(metadata) !== null) return [];
  return [
    `${path} does not say how far apart the frames were that it was trained on; frames are its steps, at whatever rate.`,
  ];
}

/** A step's features end with D's four probabilities, which no window changes. */
function withQuadrants(values: Float32Array, { q }: EncodedImage): Float32Array {
  const all = new Float32Array(values.length + QUADRANTS);
  all.set(values);
  all.set(q, values.length);
  return all;
}

function feedOf(window: StepWindow, n: number, size: number, shape: readonly number[]) {
  const values = new Float32Array(n * size);
  const present = new Uint8Array(n);
  for (const [t, step] of window.entries()) {
    if (step === null) continue;
    values.set(step.subarray(0, size), t * size);
    present[t] = 1;
  }
  return { values: { data: values, shape: [1, n, ...shape] }, present: { data: present, shape: [1, n] } };
}

function scoreOf(
  t: number,
  n: number,
  affect: Float32Array,
  attention: Float32Array | null,
  step: Float32Array | null,
  scale: SequenceScorer["scale"],
): FaceScore {
  const quadrant = step?.slice(step.length - QUADRANTS) ?? null;
  const said = (dimension: 0 | 1, [low, high]: readonly [number, number]) => {
    const x = affect[t * 2 + dimension]!;
    if (step !== null && !Number.isFinite(x))
      throw new PipeError(`The prediction for step ${t} of a window is ${x}.`, {
        hint: "The weights may come from a training that diverged.",
      });
    return low + ((x + 1) / 2) * (high - low);
  };
  return {
    valence: said(0, scale.valence),
    arousal: said(1, scale.arousal),
    quadrant,
    confidence: quadrant && Math.max(...quadrant),
    entropy: attention && entropyOf(attention.subarray(t * n, t * n + t)),
    expression: null,
  };
}

/** Nats; 0 where there is nothing to choose from. */
function entropyOf(weights: Float32Array): number {
  return weights.reduce((sum, w) => (w > 0 ? sum - w * Math.log(w) : sum), 0);
}

/** The network of windows with its parameters. Throws a PipeError that names each tensor when the weights do not fit. */
function compileWindow(
  { weights }: Checkpoint,
  path: string,
  network: SequenceNetwork,
  model: string,
  how: Omit<CompileOptions, "name">,
): Pick<Compiled, "engine" | "run"> & AsyncDisposable {
  const parameters = toParameters(conform(weights, variantParameters(network), path));
  try {
    const compiled = compile(
      ({ values, present }) => {
        const { affect, attention } = windowAffect(network, parameters, values!, present as tf.Tensor2D);
        return { affect, ...(attention && { attention }) };
      },
      { name: model, ...how },
    );
    return {
      engine: compiled.engine,
      run: (feeds) => compiled.run(feeds),
      async [Symbol.asyncDispose]() {
        await compiled.dispose();
        disposeParameters(parameters);
      },
    };
  } catch (error) {
    disposeParameters(parameters);
    throw error;
  }
}

interface Read {
  readonly sequence: Checkpoint;
  /** Of the sequence model. */
  readonly path: string;
  readonly encoder: Checkpoint;
  readonly encoderPath: string;
  readonly input: SequenceInput;
  readonly network: SequenceNetwork;
  readonly n: number;
}

async function read(source: SequenceScorerSource): Promise<Read> {
  const { model, encoder: given } = source;
  const checkpoint = sequencePathOf(source);
  const sequence = await readCheckpoint(checkpoint);
  const { attention, n, input: kind, zq, preset: written } = sequence.metadata;
  const wrong = (why: string) =>
    new PipeError(`${checkpoint} is no ${model}: ${why}.`, {
      hint: "Give what pipe run train-seq wrote for that model, or name the model that it is.",
    });
  const preset = ANCLAF_PRESETS.find((one) => one === written);
  const steps = Number(n);
  if (preset === undefined || !(Number.isInteger(steps) && steps > 0) || attention === undefined)
    throw wrong("its notes do not say what preset, window and attention it was trained with");
  if ((model === "anclaf-s") !== (attention === "none")) throw wrong(`its attention is ${attention}`);
  const sizes = presets[preset];
  const form = ZQ_FORMS.find((one) => one === zq) ?? "onehot";
  const input: SequenceInput = kind === "features" ? { kind, sizes, preset } : { kind: "latents", sizes, preset, form };
  const encoderPath = pathOf({ preset, checkpoint: given });
  const encoder = await readCheckpoint(encoderPath);
  const { encoder: wanted } = sequence.metadata;
  if (wanted !== undefined && wanted !== encoder.digest)
    throw new PipeError(
      `${checkpoint} was trained on latents of the checkpoint ${wanted.slice(0, 12)}, and ${encoderPath} is ${encoder.digest.slice(0, 12)}.`,
      { hint: "Name the frame model that made the latents it was trained on: --encoder …" },
    );
  const network: SequenceNetwork = {
    variant: attention === "none" ? "s" : attention === "uniform" ? "uniform" : "sa",
    input,
    ...(attention === "concat" && { attention }),
  };
  return { sequence, path: checkpoint, encoder, encoderPath, input, network, n: steps };
}

/** The checkpoint of a sequence model: the one that is named, or else the package's. */
function sequencePathOf({ model, checkpoint }: SequenceScorerSource): string {
  const path = checkpoint ?? bundled(model);
  if (path !== undefined) return path;
  throw new PipeError(`No weights of ${model} come with this package.`, {
    hint: "Name those that pipe run train-seq wrote: --checkpoint …/model.safetensors",
  });
}
