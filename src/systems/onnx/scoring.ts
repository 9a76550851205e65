import { basename } from "node:path";
import { DTYPES, isFloat } from "../../compile/dtypes.ts";
import { readOnnx } from "../../compile/onnx-file.ts";
import { listed, openOnnx } from "../../compile/open-onnx.ts";
import { noise, type Trial, tryRows } from "../../compile/trial.ts";
import type { OnnxModel, Value } from "../../compile/types.ts";
import { digestOf, type Json } from "../../digest.ts";
import { PipeError, reasonOf } from "../../errors.ts";
import { cropResize } from "../../media/images.ts";
import type { Image } from "../../records.ts";
import type { FaceScore, FrameScorer, Scale, ScorerRun } from "../scoring.ts";
import { drawnCaution } from "../trained-on.ts";
import { type OnnxSpec, type Part, readSpec, widthOf } from "./spec.ts";

/**
 * sha256 of the file with its external data, and of what its spec says. Throws a PipeError when either cannot be read: a
 * missing model before a missing spec.
 */
export async function onnxDigests(path: string, given?: unknown): Promise<Record<string, string>> {
  const { digest } = await readOnnx(path);
  return digestsOf(digest, await readSpec(path, given));
}

const digestsOf = (onnx: string, spec: OnnxSpec) => ({ onnx, spec: digestOf(spec as unknown as Json) });

/**
 * Somebody's own `.onnx` file as a scorer, fed and read as its spec says. Faces of another size are resampled. A model
 * made for a batch of fixed size is given batches of that size, filled up with black faces. A trial on drawn noise finds
 * what the file does not say: one that takes a single face at a time, or whose answer changes with the faces beside it, is
 * given one at a time, and `notes` say so.
 *
 * @throws PipeError when file and spec do not fit each other, or the trial fails: it says what the file has and what is needed
 */
export async function openOnnxScorer(path: string, run: ScorerRun, given?: unknown): Promise<FrameScorer> {
  const { batch, provider, threads } = run;
  const model = await openOnnx(path, { name: path, provider, ...(threads !== undefined && { threads }) });
  try {
    const spec = await readSpec(path, given);
    const input = inputOf(path, model, spec);
    const outputs = outputsOf(path, model, spec);
    const { rows, why } = await tried(model, path, input, outputs, batch);
    const slowly = `${basename(path)} is given one face at a time, which is slower: ${why}. Export it with a dynamic batch axis.`;
    return {
      kind: "frame",
      about: `${basename(path)} ${model.digest.slice(0, 12)}`,
      models: digestsOf(model.digest, spec),
      engine: { name: "onnx", provider, why: "the model is an .onnx file" },
      scale: scaleOf(spec),
      trainedOn: model.metadata.trainedOn ?? null,
      caution: drawnCaution(basename(path), model.metadata.trainedOn),
      notes: why === null ? [] : [slowly],
      encode: (faces) => scoresOf(model, path, input, outputs, faces, rows),
      [Symbol.asyncDispose]: () => model.dispose(),
    };
  } catch (error) {
    await model.dispose();
    throw error;
  }
}

/**
 * Opens a file, tries it and closes it again: what does not fit is an error before any video is decoded, not once for each of
 * ten thousand.
 *
 * @throws PipeError as {@link openOnnxScorer} does
 */
export async function checkOnnx(path: string, run: ScorerRun, given?: unknown): Promise<void> {
  await using _ = await openOnnxScorer(path, run, given);
}

/** Runs it on faces of noise. The same noise every time, so that the same file is always taken the same way. */
async function tried(
  model: OnnxModel,
  path: string,
  input: Input,
  outputs: readonly Output[],
  batch: number,
): Promise<Trial> {
  const { width, height } = input;
  const run = (rows: number) => {
    const faces = Array.from({ length: rows }, (_, i) => ({ width, height, data: noise(width * height * 3, i + 1) }));
    return answersOf(model, path, input, outputs, faces, rows);
  };
  try {
    if (input.batch === null) return await tryRows(run, batch);
    await run(input.batch);
    return { rows: input.batch, why: null };
  } catch (cause) {
    if (cause instanceof PipeError && cause.hint !== undefined) throw cause;
    throw new PipeError(`${path} fails on a trial face of ${width} × ${height}: ${reasonOf(cause)}`, {
      hint: [
        `The file says that it takes ${listed(model.inputs)} and gives ${listed(model.outputs)}, and the spec reads it so.`,
        "A size or a batch may be built into the graph that is not the declared one: set input.size in the spec, predict-affect.batch=N for a batch of N that is built in, or export the model again.",
      ].join("\n"),
      cause,
    });
  }
}

interface Input {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly channelsFirst: boolean;
  readonly bgr: boolean;
  readonly bytes: boolean;
  /** Images that one run takes; null where any number will do. */
  readonly batch: number | null;
  /** value = byte · factor[channel] + shift[channel], channels in the model's order. */
  readonly factor: readonly number[];
  readonly shift: readonly number[];
}

/** Types that bytes 0..255 fit into as they are. */
const WHOLE = DTYPES.filter((dtype) => !isFloat(dtype) && dtype !== "int8" && dtype !== "bool");

function inputOf(path: string, model: OnnxModel, spec: OnnxSpec): Input {
  const { name, size, layout, colour, range, mean, std } = spec.input;
  const wrong = (needed: string) =>
    new PipeError(`${path}: ${needed}.`, {
      hint: `The file's inputs: ${listed(model.inputs)}. Its outputs: ${listed(model.outputs)}.`,
    });
  const input = name === undefined ? model.inputs[0] : model.inputs.find((each) => each.name === name);
  if (name !== undefined && !input) throw wrong(`it has no input "${name}"`);
  if (!input || model.inputs.length > 1) throw wrong("a model of faces has one input");
  const { shape, dtype } = input;
  if (shape.length !== 4) throw wrong(`its input "${input.name}" is to have 4 axes: batch, channels, height and width`);
  const bytes = !isFloat(dtype);
  if (bytes && !WHOLE.some((whole) => whole === dtype))
    throw wrong(`its input "${input.name}" is ${dtype}, and float32, float16, float64 or uint8 is needed`);
  const plain = range[0] === 0 && range[1] === 1 && [mean, std].flat().every((x, i) => x === (i === 0 ? 0 : 1));
  if (bytes && !plain)
    throw wrong(`its input "${input.name}" takes bytes as they are, so range, mean and std of the spec have no place`);
  const channelsFirst = layout === undefined ? shape[1] === 3 || shape[3] !== 3 : layout === "nchw";
  const [channels, height, width] = channelsFirst ? [shape[1], shape[2], shape[3]] : [shape[3], shape[1], shape[2]];
  if (typeof channels === "number" && channels !== 3 && channels >= 0)
    throw wrong(
      `its input "${input.name}" has ${channels} channels as ${channelsFirst ? "nchw" : "nhwc"}, and 3 are needed`,
    );
  const given = size === undefined ? undefined : typeof size === "number" ? [size, size] : size;
  const sideOf = (axis: string, found: number | string | undefined, wanted: number | undefined): number => {
    const fixed = typeof found === "number" && found > 0 ? found : undefined;
    if (fixed !== undefined && wanted !== undefined && fixed !== wanted)
      throw wrong(`input.size asks for a ${axis} of ${wanted}, and the file takes ${fixed}`);
    const side = fixed ?? wanted;
    if (side === undefined) throw wrong(`the file leaves the ${axis} of "${input.name}" open, so input.size is needed`);
    return side;
  };
  const [low, high] = range;
  const perChannel = (value: number | readonly number[]) => (typeof value === "number" ? [value, value, value] : value);
  const [means, stds] = [perChannel(mean), perChannel(std)];
  return {
    name: input.name,
    height: sideOf("height", height, given?.[0]),
    width: sideOf("width", width, given?.[1]),
    channelsFirst,
    bgr: colour === "bgr",
    bytes,
    batch: typeof shape[0] === "number" && shape[0] > 0 ? shape[0] : null,
    factor: stds.map((deviation) => (high - low) / 255 / deviation),
    shift: stds.map((deviation, i) => (low - means[i]!) / deviation),
  };
}

interface Output {
  readonly name: string;
  readonly parts: readonly { readonly part: Part; readonly from: number; readonly width: number }[];
  /** Numbers that the parts take, of each face. */
  readonly width: number;
}

function outputsOf(path: string, model: OnnxModel, spec: OnnxSpec): Output[] {
  return Object.entries(spec.outputs).map(([name, written]) => {
    const wrong = (needed: string) =>
      new PipeError(`${path}: ${needed}.`, { hint: `The file's outputs: ${listed(model.outputs)}.` });
    const found = model.outputs.find((output) => output.name === name);
    if (!found) throw wrong(`it has no output "${name}"`);
    if (!DTYPES.some((dtype) => dtype === found.dtype))
      throw wrong(`its output "${name}" is ${found.dtype}, and numbers are needed`);
    let width = 0;
    const parts = [written].flat().map((part) => {
      const at = { part, from: width, width: widthOf(part) };
      width += at.width;
      return at;
    });
    const tail = found.shape.slice(1);
    const fixed = tail.every((length): length is number => typeof length === "number" && length > 0);
    const numbers = fixed ? tail.reduce((product, length) => product * length, 1) : undefined;
    if (numbers !== undefined && numbers !== width)
      throw wrong(`its output "${name}" has ${numbers} numbers a face, and the spec reads ${width}`);
    return { name, parts, width };
  });
}

async function scoresOf(
  model: OnnxModel,
  path: string,
  input: Input,
  outputs: readonly Output[],
  faces: readonly Image[],
  batch: number,
): Promise<FaceScore[]> {
  const size = { width: input.width, height: input.height };
  const fitted = await Promise.all(faces.map((face) => fit(face, size)));
  const scores: FaceScore[] = [];
  for (let from = 0; from < fitted.length; from += batch) {
    const own = fitted.slice(from, from + batch);
    // One batch size for all, filled up: a face's answer must not depend on how many others there are.
    const found = await answersOf(model, path, input, outputs, own, batch);
    own.forEach((_, i) => {
      scores.push(scoreOf(path, outputs, found, i));
    });
  }
  return scores;
}

/** The outputs that the spec reads, of faces of the input's size. */
async function answersOf(
  model: OnnxModel,
  path: string,
  input: Input,
  outputs: readonly Output[],
  faces: readonly Image[],
  batch: number,
): Promise<Record<string, Value>> {
  const names = outputs.map(({ name }) => name);
  const found = await model.run({ [input.name]: feed(faces, input, batch) }, names);
  for (const { name, width } of outputs) {
    const { data, shape } = found[name]!;
    if (data.length !== batch * width)
      throw new PipeError(
        `${path}: its output "${name}" came as [${shape.join(", ")}], and the spec reads ${width} numbers for each of ${batch} faces.`,
        { hint: "Mend the outputs in the spec, e.g. with skip." },
      );
  }
  return found;
}

async function fit(face: Image, size: { width: number; height: number }): Promise<Image> {
  if (face.width === size.width && face.height === size.height) return face;
  return cropResize(face, { x: 0, y: 0, width: face.width, height: face.height }, size);
}

function feed(faces: readonly Image[], input: Input, batch: number): Value {
  const { width, height, channelsFirst, bgr, bytes, factor, shift } = input;
  const pixels = width * height;
  const shape = channelsFirst ? [batch, 3, height, width] : [batch, height, width, 3];
  const data = bytes ? new Uint8Array(batch * pixels * 3) : new Float32Array(batch * pixels * 3);
  faces.forEach((face, b) => {
    for (let channel = 0; channel < 3; channel++) {
      const from = bgr ? 2 - channel : channel;
      const [scale, offset] = bytes ? [1, 0] : [factor[channel]!, shift[channel]!];
      for (let i = 0; i < pixels; i++) {
        const at = channelsFirst ? (b * 3 + channel) * pixels + i : (b * pixels + i) * 3 + channel;
        data[at] = face.data[i * 3 + from]! * scale + offset;
      }
    }
  });
  return { data, shape };
}

function scoreOf(path: string, outputs: readonly Output[], found: Record<string, Value>, face: number): FaceScore {
  const score: { -readonly [K in keyof FaceScore]: FaceScore[K] } = {
    valence: null,
    arousal: null,
    quadrant: null,
    confidence: null,
    entropy: null,
    expression: null,
  };
  for (const { name, parts, width } of outputs)
    for (const { part, from, width: own } of parts) {
      const start = face * width + from;
      const values = Float32Array.from(found[name]!.data.subarray(start, start + own));
      if (!(typeof part === "object" && "skip" in part) && !values.every(Number.isFinite))
        throw new PipeError(`${path}: its output "${name}" holds ${values.find((x) => !Number.isFinite(x))}.`, {
          hint: "Do range, mean and std of the spec fit what the model was trained with?",
        });
      if (typeof part === "string") read(score, part, values);
      else if ("expression" in part) score.expression = likeliest(part.expression, values);
      else if ("expression_logits" in part) score.expression = likeliest(part.expression_logits, softmax(values));
    }
  score.confidence ??= score.quadrant === null ? (score.expression?.probability ?? null) : Math.max(...score.quadrant);
  return score;
}

function read(
  score: { -readonly [K in keyof FaceScore]: FaceScore[K] },
  word: Extract<Part, string>,
  values: Float32Array,
): void {
  if (word === "valence" || word === "valence_arousal") score.valence = values[0]!;
  if (word === "arousal" || word === "arousal_valence") score.arousal = values[0]!;
  if (word === "valence_arousal") score.arousal = values[1]!;
  if (word === "arousal_valence") score.valence = values[1]!;
  if (word === "confidence") score.confidence = values[0]!;
  if (word === "quadrant") score.quadrant = values;
  if (word === "quadrant_logits") score.quadrant = softmax(values);
}

function softmax(logits: Float32Array): Float32Array {
  const most = Math.max(...logits);
  const powers = logits.map((x) => Math.exp(x - most));
  const sum = powers.reduce((total, x) => total + x, 0);
  return powers.map((x) => x / sum);
}

function likeliest(names: readonly string[], probabilities: Float32Array): { name: string; probability: number } {
  const best = probabilities.reduce((top, x, i) => (x > probabilities[top]! ? i : top), 0);
  return { name: names[best]!, probability: probabilities[best]! };
}

function scaleOf({ scale }: OnnxSpec): Scale {
  return Array.isArray(scale) ? { valence: scale, arousal: scale } : (scale as Scale);
}
