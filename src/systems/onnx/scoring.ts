import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { metadataOf } from "../../compile/onnx.ts";
import { type OnnxVersions, onnxVersions } from "../../compile/onnx-versions.ts";
import { openOnnx } from "../../compile/open-onnx.ts";
import type { OnnxModel, Value } from "../../compile/types.ts";
import { digestFile, digestOf, type Json } from "../../digest.ts";
import { PipeError, reasonOf } from "../../errors.ts";
import { cropResize } from "../../media/images.ts";
import type { Image } from "../../records.ts";
import type { FaceScore, FrameScorer, Scale, ScorerRun } from "../scoring.ts";
import { drawnCaution } from "../trained-on.ts";
import { type OnnxSpec, type Part, readSpec, widthOf } from "./spec.ts";

/** sha256 of the file and of what its spec says. Throws a PipeError when either cannot be read. */
export async function onnxDigests(path: string, given?: unknown): Promise<Record<string, string>> {
  const spec = await readSpec(path, given);
  try {
    return { onnx: await digestFile(path), spec: digestOf(spec as unknown as Json) };
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/**
 * Somebody's own `.onnx` file as a scorer, fed and read as its spec says. Faces of another size are resampled. A model
 * made for a batch of fixed size is given batches of that size, filled up with black faces.
 *
 * @throws PipeError when file and spec do not fit each other: it says what the file has and what is needed.
 */
export async function openOnnxScorer(path: string, run: ScorerRun, given?: unknown): Promise<FrameScorer> {
  const spec = await readSpec(path, given);
  const model = await opened(path, run);
  try {
    const input = inputOf(path, model, spec);
    const outputs = outputsOf(path, model, spec);
    return {
      kind: "frame",
      about: `${basename(path)} ${model.digest.slice(0, 12)}`,
      engine: { name: "onnx", provider: run.provider, why: "the model is an .onnx file" },
      scale: scaleOf(spec),
      ...(await seenBy(path)),
      notes: [],
      encode: (faces) => scoresOf(model, path, input, outputs, faces, run.batch),
      [Symbol.asyncDispose]: () => model.dispose(),
    };
  } catch (error) {
    await model.dispose();
    throw error;
  }
}

/** What the file says that its weights have seen: `pipe export` writes it. */
async function seenBy(path: string): Promise<Pick<FrameScorer, "trainedOn" | "caution">> {
  const { trainedOn } = metadataOf(await readFile(path));
  return { trainedOn: trainedOn ?? null, caution: drawnCaution(basename(path), trainedOn) };
}

/**
 * Opens a file and closes it again: what does not fit is told before any video is decoded, not once for each of ten thousand.
 *
 * @throws PipeError as {@link openOnnxScorer} does
 */
export async function checkOnnx(path: string, provider: ScorerRun["provider"], given?: unknown): Promise<void> {
  await using _ = await openOnnxScorer(path, { batch: 1, engine: "auto", provider, threads: 1 }, given);
}

async function opened(path: string, { provider, threads }: ScorerRun): Promise<OnnxModel> {
  const file = await readFile(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    return await openOnnx(file, { name: basename(path), provider, ...(threads !== undefined && { threads }) });
  } catch (cause) {
    const versions = onnxVersions(file);
    throw new PipeError(`${path} cannot be opened as a model: ${reasonOf((cause as Error).cause ?? cause)}`, {
      hint: versions
        ? `${versionWords(versions)} Where that is newer than the ONNX Runtime here knows, export it again with an older operator set.`
        : "It is no ONNX file, or is cut short.",
      cause,
    });
  }
}

function versionWords({ ir, opsets }: OnnxVersions): string {
  const sets = Object.entries(opsets).map(([domain, version]) => `${domain === "" ? "opset" : domain} ${version}`);
  return `The file has IR version ${ir} and ${sets.join(", ")}.`;
}

function unreadable(path: string, cause: unknown): PipeError {
  return new PipeError(`The model ${path} cannot be read: ${reasonOf(cause)}`, {
    hint: "Give the path of an .onnx file, or the name of a model of this package.",
    cause,
  });
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
  if (dtype !== "float32" && dtype !== "uint8")
    throw wrong(`its input "${input.name}" is ${dtype}, and float32 or uint8 is needed`);
  const plain = range[0] === 0 && range[1] === 1 && [mean, std].flat().every((x, i) => x === (i === 0 ? 0 : 1));
  if (dtype === "uint8" && !plain)
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
    bytes: dtype === "uint8",
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
    if (found.dtype !== "float32") throw wrong(`its output "${name}" is ${found.dtype}, and float32 is needed`);
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

function listed(values: OnnxModel["inputs"]): string {
  return values.map(({ name, shape, dtype }) => `${name} ${dtype} [${shape.join(", ")}]`).join("; ") || "none";
}

async function scoresOf(
  model: OnnxModel,
  path: string,
  input: Input,
  outputs: readonly Output[],
  faces: readonly Image[],
  most: number,
): Promise<FaceScore[]> {
  const size = { width: input.width, height: input.height };
  const fitted = await Promise.all(faces.map((face) => fit(face, size)));
  // One batch size for all, filled up: a face's answer must not depend on how many others there are.
  const batch = input.batch ?? most;
  const scores: FaceScore[] = [];
  for (let from = 0; from < fitted.length; from += batch) {
    const own = fitted.slice(from, from + batch);
    const found = await model.run({ [input.name]: feed(own, input, batch) });
    for (const { name, width } of outputs) {
      const { data, shape } = found[name]!;
      if (data.length !== batch * width)
        throw new PipeError(
          `${path}: its output "${name}" came as [${shape.join(", ")}], and the spec reads ${width} numbers for each of ${batch} faces.`,
          { hint: "Mend the outputs in the spec, e.g. with skip." },
        );
    }
    own.forEach((_, i) => {
      scores.push(scoreOf(path, outputs, found, i));
    });
  }
  return scores;
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
      const values = (found[name]!.data as Float32Array).slice(start, start + own);
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
