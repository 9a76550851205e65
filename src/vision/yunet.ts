import { basename } from "node:path";
import { type OnnxModel, openOnnx, type Value } from "../compile/index.ts";
import { listed } from "../compile/open-onnx.ts";
import { noise, tryRows } from "../compile/trial.ts";
import { PipeError, reasonOf } from "../errors.ts";
import type { Size } from "../media/images.ts";
import type { Image } from "../records.ts";
import { runInBatches } from "./batches.ts";
import { type Detection, type Detector, detectionAt } from "./detector.ts";
import { type RunOptions, runOptions } from "./models.ts";
import { greedyNms } from "./nms.ts";
import { fitIntoCorner, scaled } from "./prepared.ts";

const STRIDES = [8, 16, 32] as const;
const HEADS = { cls: 1, obj: 1, bbox: 4, kps: 10 } as const;
/**
 * Where the file leaves the input's size open, frames of more pixels are reduced to this many: 4K as it is. The network's
 * cost grows with the pixels, and one input of this size already takes 100 MB.
 */
const MOST_PIXELS = 3840 * 2176;
/** Images of more pixels than this run one by one: a batch would save no time and take the memory of all. */
const ALONE_PIXELS = 1280 * 736;
/** The NMS threshold of libfacedetection. */
const OVERLAP = 0.45;

/**
 * A face detector of the user's own as `.onnx` file, in the head layout of YuNet (Wu et al., YuNet: A Tiny
 * Millisecond-level Face Detector, 2023): one input [batch, 3, height, width], BGR 0..255; at strides 8, 16 and 32 the
 * outputs cls, obj (1 value a cell), bbox (4) and kps (10). Score √(cls · obj); centres (cell + offset) · stride, sizes
 * exp(·) · stride; landmarks right eye, left eye, nose tip, right and left mouth corner ("right" is the person's own).
 *
 * Frames are seen at their own size, padded with black at the right and below to whole strides of 32, as OpenCV's
 * FaceDetectorYN does. Where the file fixes the size they are scaled to fit its upper left corner.
 *
 * @param options.floor lowest score that is given, 0..1.
 * @throws PipeError when the file has another layout: it names the layouts known and what the file has.
 */
export async function openYuNet(path: string, options: RunOptions & { readonly floor: number }): Promise<Detector> {
  const model = await openOnnx(path, runOptions(options));
  let names: Heads;
  let together: boolean;
  try {
    names = headsOf(path, model);
    together = await takesSeveral(path, model);
  } catch (error) {
    await model.dispose();
    throw error;
  }
  const input = model.inputs[0]!;
  const [, , height, width] = input.shape;
  return {
    name: `yunet (${basename(path)})`,
    digest: model.digest,
    engine: { name: "onnx", provider: "cpu", why: "the detector is an .onnx file" },
    async prepare(image) {
      const { size, scale } = inputSize(image, width, height);
      return fitIntoCorner(image, size, scale);
    },
    async infer(prepared) {
      const results: Detection[][] = prepared.map(() => []);
      // Images of one size share a batch, unless the model is made for one image at a time.
      const sizes = new Map<string, number[]>();
      prepared.forEach(({ input }, i) => {
        const alone = !together || input.width * input.height > ALONE_PIXELS;
        const key = alone ? `${i}` : `${input.width} × ${input.height}`;
        sizes.set(key, [...(sizes.get(key) ?? []), i]);
      });
      for (const members of sizes.values()) {
        const images = members.map((i) => prepared[i]!.input);
        const outputs = await runInBatches(model, input.name, images, packPlanes);
        members.forEach((i, k) => {
          const cells = STRIDES.flatMap((stride) => decode(outputs[k]!, names, stride, prepared[i]!.input.width));
          const candidates = cells
            .filter(({ score }) => score >= options.floor)
            .map(({ score, box, points }) => detectionAt(prepared[i]!, score, box, points));
          results[i] = greedyNms(candidates, OVERLAP);
        });
      }
      return results;
    },
    [Symbol.asyncDispose]: () => model.dispose(),
  };
}

/**
 * Whether it takes several images in one run, by a trial on noise: a batch of one may be built into a graph that declares
 * any. Throws a PipeError when it does not run at all.
 */
async function takesSeveral(path: string, model: OnnxModel): Promise<boolean> {
  const { name, shape } = model.inputs[0]!;
  const [batch, , height, width] = shape.map((length) => (typeof length === "number" && length > 0 ? length : null));
  if (batch != null && batch > 1)
    throw new PipeError(`${path} takes batches of ${batch} images, and a detector is given any number of them.`, {
      hint: "Export it with a batch of 1, or with a dynamic batch axis.",
    });
  const size = { width: width ?? 64, height: height ?? 64 };
  const run = (images: number) => {
    const pixels = (seed: number) => noise(size.width * size.height * 3, seed);
    return model.run({
      [name]: packPlanes(Array.from({ length: images }, (_, i) => ({ ...size, data: pixels(i + 1) }))),
    });
  };
  try {
    return (await tryRows(run, batch === 1 ? 1 : 2)).rows > 1;
  } catch (cause) {
    throw new PipeError(`${path} fails on a trial image of ${size.width} × ${size.height}: ${reasonOf(cause)}`, {
      hint: "A size may be built into the graph that is not the declared one: export it again.",
      cause,
    });
  }
}

type Heads = Record<`${keyof typeof HEADS}_${(typeof STRIDES)[number]}`, string>;

/** Output names by head; libraries rename outputs but keep the suffix. */
function headsOf(path: string, model: OnnxModel): Heads {
  const wanted = Object.entries(HEADS).flatMap(([head, values]) =>
    STRIDES.map((stride) => ({ key: `${head}_${stride}`, values })),
  );
  const found = wanted.map(({ key, values }) => [
    key,
    model.outputs.find(({ name, shape }) => name === key && shape.at(-1) === values)?.name,
  ]);
  const planes = model.inputs[0]?.shape;
  const fits = model.inputs.length === 1 && planes?.length === 4 && planes[1] === 3;
  if (fits && found.every(([, name]) => name !== undefined)) {
    checkNumbers(path, [
      model.inputs[0]!,
      ...model.outputs.filter(({ name }) => wanted.some(({ key }) => key === name)),
    ]);
    checkSides(path, planes);
    return Object.fromEntries(found) as Heads;
  }
  throw new PipeError(`${path} is no face detector that is known here.`, {
    hint: [
      "Known: YuNet — input float32 [batch, 3, height, width]; outputs cls_S, obj_S [batch, cells, 1], bbox_S [batch, cells, 4] and kps_S [batch, cells, 10] for S = 8, 16, 32.",
      `The file has: input ${listed(model.inputs)}; outputs ${listed(model.outputs)}.`,
    ].join("\n"),
  });
}

function checkNumbers(path: string, values: OnnxModel["inputs"]): void {
  const wrong = values.filter(({ dtype }) => dtype !== "float32" && dtype !== "float16");
  if (wrong.length === 0) return;
  const names = wrong.map(({ name, dtype }) => `${name} is ${dtype}`).join(", ");
  throw new PipeError(`${path}: a YuNet's input and heads are float32 or float16, but ${names}.`, {
    hint: "Export the model with floating-point inputs and outputs; a quantised model needs its DequantizeLinear at the end.",
  });
}

function checkSides(path: string, [, , height, width]: OnnxModel["inputs"][number]["shape"]): void {
  const wrong = [width, height].some((side) => typeof side === "number" && (side <= 0 || side % 32 !== 0));
  if (wrong)
    throw new PipeError(`${path}: its input of ${width} × ${height} pixels is not made of whole strides of 32.`, {
      hint: "Export the model with an input whose width and height are multiples of 32, or with open ones.",
    });
}

/** The input's size for an image, and what the image is scaled by. */
function inputSize(
  image: Image,
  width: number | string | undefined,
  height: number | string | undefined,
): { size: Size; scale: number } {
  const across = typeof width === "number" ? width / image.width : Infinity;
  const down = typeof height === "number" ? height / image.height : Infinity;
  const fit = Math.min(across, down);
  const scale = fit < Infinity ? fit : Math.min(1, Math.sqrt(MOST_PIXELS / (image.width * image.height)));
  const shown = scaled(image, scale);
  const strides = (side: number) => Math.ceil(side / 32) * 32;
  const size = {
    width: typeof width === "number" ? width : strides(shown.width),
    height: typeof height === "number" ? height : strides(shown.height),
  };
  return { size, scale };
}

/** Planes of blue, green and red, 0..255, shape [batch, 3, height, width]. */
function packPlanes(images: readonly Image[]): Value {
  const { width, height } = images[0]!;
  const plane = width * height;
  const data = new Float32Array(images.length * 3 * plane);
  images.forEach((image, b) => {
    for (let i = 0; i < plane; i++)
      for (let channel = 0; channel < 3; channel++)
        data[(b * 3 + channel) * plane + i] = image.data[i * 3 + 2 - channel]!;
  });
  return { data, shape: [images.length, 3, height, width] };
}

function decode(outputs: Record<string, Float32Array>, names: Heads, stride: (typeof STRIDES)[number], width: number) {
  const head = (name: keyof typeof HEADS) => outputs[names[`${name}_${stride}`]]!;
  const [cls, obj, bbox, kps] = [head("cls"), head("obj"), head("bbox"), head("kps")];
  const columns = width / stride;
  return Array.from(cls, (value, cell) => {
    const [column, row] = [cell % columns, Math.floor(cell / columns)];
    const at = (offset: number, start: number) => (start + offset) * stride;
    const [dx, dy, dw, dh] = bbox.subarray(cell * 4, cell * 4 + 4) as unknown as [number, number, number, number];
    const box = [at(dx, column), at(dy, row), Math.exp(dw) * stride, Math.exp(dh) * stride] as const;
    const points = kps.subarray(cell * 10, cell * 10 + 10).map((offset, i) => at(offset, i % 2 === 0 ? column : row));
    return { score: Math.sqrt(unit(value) * unit(obj[cell]!)), box, points };
  });
}

function unit(value: number): number {
  return Math.min(1, Math.max(0, value));
}
