import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { loadGraphModelSync } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { PipeError, reasonOf } from "../errors.ts";
import { withBackend } from "./backends.ts";
import type { Program } from "./types.ts";

/** A TensorFlow.js GraphModel as a function for compile(). */
export interface LoadedGraphModel {
  /** The file's name without `.json`. */
  readonly name: string;
  /** sha256 over model.json and its weight files, in the manifest's order. */
  readonly digest: string;
  /** Axes as the model says them; -1 takes any length. */
  readonly inputs: readonly { name: string; shape: readonly number[]; dtype: string }[];
  /** Names of what `program` gives. */
  readonly outputs: readonly string[];
  /** Input names → outputs by name. Feeds of another dtype (bytes, say) are cast to the model's. */
  readonly program: Program;
  /** Frees the weights. Compiled functions already traced from it keep working. */
  dispose(): void;
}

export interface GraphModelOptions {
  /** Only these outputs, or inner nodes, by name; what only the others need is not computed. Default: all outputs. */
  readonly outputs?: readonly string[];
  /**
   * Let the first axis take any length although the model was saved for one sample: the leading 1 of the inputs and of
   * every constant Reshape target becomes -1. Right for networks that keep samples apart up to their outputs
   * (BlazeFace); not for ones that flatten the batch into candidates (CenterNet's `detections`).
   */
  readonly anyBatch?: boolean;
  /** Let the inputs' height and width (second and third axis) take any length. Right for convolutions up to the outputs. */
  readonly anySize?: boolean;
}

interface ModelJson {
  modelTopology: { node: GraphNode[] };
  signature?: { inputs?: Record<string, unknown>; outputs?: Record<string, unknown> };
  weightsManifest: { paths: string[]; weights: tf.io.WeightsManifestEntry[] }[];
}
interface GraphNode {
  name: string;
  op: string;
  input?: string[];
  attr?: Record<string, { shape?: { dim?: { size?: string | number }[] } }>;
}

/**
 * Reads a GraphModel: `path` is its model.json, the weight files lie beside it.
 * Throws a PipeError that names the file when it is missing, cut short or not a GraphModel.
 */
export async function loadGraphModel(path: string, options: GraphModelOptions = {}): Promise<LoadedGraphModel> {
  const name = basename(path).replace(/\.json$/, "");
  const hash = createHash("sha256");
  const jsonBytes = await read(path);
  hash.update(jsonBytes);
  const json = parse(path, jsonBytes);
  const parts: Buffer[] = [];
  for (const file of json.weightsManifest.flatMap((group) => group.paths)) {
    const part = await read(resolve(dirname(path), file));
    hash.update(part);
    parts.push(part);
  }
  // A copy with an offset of zero: weight specs are cut out of it by position.
  const weightData = new Uint8Array(Buffer.concat(parts)).buffer;
  const weightSpecs = json.weightsManifest.flatMap((group) => group.weights);
  checkSize(path, weightSpecs, weightData.byteLength);
  if (options.anySize) freeSize(json);
  if (options.anyBatch) freeBatch(json, weightSpecs, weightData);

  const model = open(path, {
    modelTopology: json.modelTopology,
    weightSpecs,
    weightData,
    ...(json.signature && { signature: json.signature as object }),
  });
  // Signatures write tensors as `name:0`; the plain node name is what people type, for outputs as for inputs.
  const known = model.outputNodes.map((output) => output.replace(/:0$/, ""));
  const wanted = options.outputs ?? known;
  for (const output of wanted)
    if (!known.includes(output) && !json.modelTopology.node.some(({ name }) => name === output)) {
      model.dispose();
      throw new PipeError(`${path} has no output "${output}".`, { hint: `Its outputs: ${known.join(", ")}.` });
    }
  const describe = (info: tf.ModelTensorInfo) => ({ name: info.name, shape: info.shape ?? [], dtype: info.dtype });
  return {
    name,
    digest: hash.digest("hex"),
    inputs: model.inputs.map(describe),
    outputs: wanted,
    program: (feeds) => {
      const given = Object.fromEntries(
        model.inputs.map((input) => {
          const feed = feeds[input.name];
          if (!feed)
            throw new PipeError(`${name} needs the input "${input.name}".`, {
              hint: `It was given: ${Object.keys(feeds).join(", ")}.`,
            });
          return [input.name, feed.dtype === input.dtype ? feed : tf.cast(feed, input.dtype)];
        }),
      );
      const results = model.execute(given, [...wanted]);
      const list = Array.isArray(results) ? results : [results];
      return Object.fromEntries(wanted.map((output, i) => [output, list[i] as tf.Tensor]));
    },
    dispose: () => model.dispose(),
  };
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new PipeError(`${path} cannot be read: ${reasonOf(error)}`, {
      hint: "A GraphModel is a model.json with its weight files beside it.",
      cause: error,
    });
  }
}

function parse(path: string, bytes: Buffer): ModelJson {
  let json: Partial<ModelJson> & { userDefinedMetadata?: { signature?: NonNullable<ModelJson["signature"]> } };
  try {
    json = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw new PipeError(`${path} is not JSON: ${reasonOf(error)}`, { cause: error });
  }
  if (!Array.isArray(json?.modelTopology?.node) || !Array.isArray(json.weightsManifest))
    throw new PipeError(
      `${path} is not a TensorFlow.js GraphModel: it has no modelTopology.node or no weightsManifest.`,
      {
        hint: "Layers models are not read; convert with tensorflowjs_converter to tfjs_graph_model.",
      },
    );
  // Older converters kept the signature among the user's metadata.
  const signature = json.signature ?? json.userDefinedMetadata?.signature;
  return {
    modelTopology: json.modelTopology,
    weightsManifest: json.weightsManifest,
    ...(signature && { signature }),
  };
}

function checkSize(path: string, specs: readonly tf.io.WeightsManifestEntry[], have: number): void {
  const need = specs.reduce((sum, spec) => sum + byteLength(spec), 0);
  if (need !== have)
    throw new PipeError(`The weight files of ${path} hold ${have} bytes, but its manifest needs ${need}.`, {
      hint: "The download was probably cut short; fetch the model again.",
    });
}

function byteLength(spec: tf.io.WeightsManifestEntry): number {
  const dtype = spec.quantization?.dtype ?? spec.dtype;
  const width = { float32: 4, int32: 4, complex64: 8, float16: 2, uint16: 2, uint8: 1, bool: 1 }[dtype as string] ?? 0;
  return width * spec.shape.reduce((product, size) => product * size, 1);
}

/** Edits the topology in place, see `GraphModelOptions.anySize`. */
function freeSize(json: ModelJson): void {
  const placeholders = json.modelTopology.node.filter(({ op }) => op === "Placeholder");
  const inputs = Object.values(json.signature?.inputs ?? {}) as {
    tensorShape?: { dim?: { size?: string | number }[] };
  }[];
  for (const dims of [
    ...placeholders.map(({ attr }) => attr?.shape?.shape?.dim),
    ...inputs.map(({ tensorShape }) => tensorShape?.dim),
  ])
    for (const axis of [1, 2]) if (dims?.[axis]) dims[axis].size = "-1";
}

/** Edits topology and weights in place, see `GraphModelOptions.anyBatch`. */
function freeBatch(json: ModelJson, specs: readonly tf.io.WeightsManifestEntry[], data: ArrayBuffer): void {
  const targets = new Set<string>();
  for (const node of json.modelTopology.node) {
    const dims = node.attr?.shape?.shape?.dim;
    if (node.op === "Placeholder" && dims?.[0] && Number(dims[0].size) === 1) dims[0].size = "-1";
    if (node.op === "Reshape" && node.input?.[1]) targets.add(node.input[1].replace(/:0$/, ""));
  }
  for (const info of Object.values(json.signature?.inputs ?? {})) {
    const dim = (info as { tensorShape?: { dim?: { size?: string | number }[] } }).tensorShape?.dim?.[0];
    if (dim && Number(dim.size) === 1) dim.size = "-1";
  }
  let offset = 0;
  for (const spec of specs) {
    if (targets.has(spec.name) && spec.dtype === "int32" && !spec.quantization) {
      const view = new DataView(data, offset, byteLength(spec));
      const sizes = Array.from({ length: spec.shape[0] ?? 0 }, (_, i) => view.getInt32(4 * i, true));
      if (sizes[0] === 1 && !sizes.includes(-1)) view.setInt32(0, -1, true);
    }
    offset += byteLength(spec);
  }
}

function open(path: string, artifacts: tf.io.ModelArtifacts) {
  try {
    // Weights are made while this runs, on the backend in force.
    return withBackend("cpu", () => loadGraphModelSync(artifacts));
  } catch (error) {
    throw new PipeError(`${path} cannot be opened as a TensorFlow.js GraphModel: ${reasonOf(error)}`, { cause: error });
  }
}
