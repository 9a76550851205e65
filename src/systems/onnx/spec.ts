import { parse } from "yaml";
import { z } from "zod";
import { PipeError, reasonOf } from "../../errors.ts";
import { readRegularFile } from "../../regular-file.ts";

const interval = z
  .tuple([z.number(), z.number()])
  .refine(([low, high]) => low < high, "the first is to be below the second");
const channels = z.union([z.number(), z.tuple([z.number(), z.number(), z.number()])]);
const deviation = z.union([z.number().positive(), z.array(z.number().positive()).length(3)]);
const names = z.array(z.string().min(1)).min(1);

/** Widths of the parts that an output may consist of. */
const WORDS = {
  valence: 1,
  arousal: 1,
  valence_arousal: 2,
  arousal_valence: 2,
  confidence: 1,
  quadrant: 4,
  quadrant_logits: 4,
} as const;
export type Word = keyof typeof WORDS;

const part = z.union([
  z.enum(Object.keys(WORDS) as [Word, ...Word[]]),
  z.strictObject({ expression: names }).describe("probabilities, one a name"),
  z.strictObject({ expression_logits: names }).describe("the same before softmax"),
  z.strictObject({ skip: z.int().positive() }).describe("so many numbers that are not read"),
]);
export type Part = z.output<typeof part>;

/** How somebody's `.onnx` file is fed, and what its outputs mean. */
export const onnxSpecSchema = z.strictObject({
  input: z
    .strictObject({
      name: z.string().min(1).optional().describe("default: the file's only input"),
      size: z
        .union([z.int().positive(), z.tuple([z.int().positive(), z.int().positive()])])
        .optional()
        .describe("side in pixels, or [height, width]; default: what the file says"),
      layout: z.enum(["nchw", "nhwc"]).optional().describe("default: by where the file has 3 channels"),
      colour: z.enum(["rgb", "bgr"]).default("rgb").describe("order of the channels"),
      range: interval.default([0, 1]).describe("what bytes 0 and 255 become, before mean and std"),
      mean: channels.default(0).describe("taken off, by channel in the model's order"),
      std: deviation.default(1).describe("divided by, by channel in the model's order"),
    })
    .prefault({}),
  outputs: z
    .record(z.string(), z.union([part, z.array(part).min(1)]))
    .refine((outputs) => Object.keys(outputs).length > 0, "name at least one output")
    .describe("by name: what it is, or what its numbers are, one after the other"),
  scale: z
    .union([interval, z.strictObject({ valence: interval, arousal: interval })])
    .default([-1, 1])
    .describe("lowest and highest valence and arousal that the model says"),
});
export type OnnxSpec = z.output<typeof onnxSpecSchema>;

/** How many numbers a part takes. */
export function widthOf(part: Part): number {
  if (typeof part === "string") return WORDS[part];
  if ("skip" in part) return part.skip;
  return ("expression" in part ? part.expression : part.expression_logits).length;
}

/** Where the spec of an `.onnx` file is looked for: `face.onnx` → `face.yaml`. */
export const specPath = (model: string): string => `${model.replace(/\.onnx$/i, "")}.yaml`;

/**
 * The spec of somebody's `.onnx` file: `given`, or else the YAML beside the file.
 * Throws a PipeError that shows what a spec looks like when there is none or it is wrong.
 */
export async function readSpec(model: string, given?: unknown): Promise<OnnxSpec> {
  const path = specPath(model);
  const raw = given ?? (await fromYaml(path));
  const parsed = onnxSpecSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw new PipeError(`${given === undefined ? path : `The spec of ${model}`}: ${z.prettifyError(parsed.error)}`, {
    hint: EXAMPLE,
  });
}

async function fromYaml(path: string): Promise<unknown> {
  let text: string;
  try {
    text = (await readRegularFile(path)).toString();
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new PipeError(
      missing
        ? `There is no ${path}, which is to say what the model takes and gives.`
        : `${path} cannot be read: ${reasonOf(cause)}`,
      { hint: EXAMPLE, cause },
    );
  }
  try {
    return parse(text);
  } catch (cause) {
    throw new PipeError(`${path} is not YAML: ${(cause as Error).message.split("\n")[0]}`, { hint: EXAMPLE, cause });
  }
}

const EXAMPLE = `Such a file reads, e.g.:
input: { size: 224, layout: nchw, colour: rgb, range: [0, 1], mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
outputs: { logits: [{ expression_logits: [anger, happy, neutral] }, valence, arousal] }
scale: [-1, 1]
An output is ${Object.keys(WORDS).join(", ")}, expression or expression_logits with names, skip with a number, or a list of these.`;
