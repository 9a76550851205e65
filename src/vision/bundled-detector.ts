import type { Compiled, LoadedGraphModel } from "../compile/index.ts";
import type { Box, Image } from "../records.ts";
import { runInBatches } from "./batches.ts";
import { type Detection, type Detector, detectionAt } from "./detector.ts";
import type { Bundled } from "./models.ts";
import { fitInto, zoomInto } from "./prepared.ts";

/** Centre, size and points of one candidate, in pixels of the network's input. */
export interface Candidate {
  readonly box: readonly [x: number, y: number, width: number, height: number];
  readonly points: ArrayLike<number> | null;
}

/**
 * A detector over a network that comes with the project: its input `pixels` is a square of bytes, its output `scores`
 * has one value, 0..1, for each place where something may be. It owns `model` and `compiled`.
 *
 * @param parts.size side of the input, pixels.
 * @param parts.floor lowest score that is given, 0..1.
 * @param parts.at the candidate at a place, from one image's outputs.
 * @param parts.suppress many overlapping detections to one each.
 */
export function bundledDetector(
  name: Bundled,
  model: LoadedGraphModel,
  compiled: Compiled,
  parts: {
    readonly size: number;
    readonly floor: number;
    readonly at: (place: number, outputs: Record<string, Float32Array>) => Candidate;
    /** It takes inputs of any size in whole strides of 32. */
    readonly zooms?: boolean;
    readonly suppress: (detections: Detection[]) => Detection[];
  },
): Detector {
  const { size, floor, at, suppress } = parts;
  return {
    name,
    digest: model.digest,
    engine: compiled.engine,
    prepare: (image) => fitInto(image, { width: size, height: size }),
    ...(parts.zooms && { zoom: (image: Image, part: Box, scale: number) => zoomInto(image, part, scale) }),
    async infer(prepared) {
      const found: Detection[][] = prepared.map(() => []);
      const sizes = new Map<string, number[]>();
      prepared.forEach(({ input }, i) => {
        // Inputs of other sizes run one by one: each size has one graph then, not one for each number of images.
        const key = input.width === size && input.height === size ? "" : `${i}`;
        sizes.set(key, [...(sizes.get(key) ?? []), i]);
      });
      for (const members of sizes.values()) {
        const outputs = await runInBatches(
          compiled,
          "pixels",
          members.map((i) => prepared[i]!.input),
        );
        members.forEach((i, k) => {
          const detections: Detection[] = [];
          outputs[k]!.scores!.forEach((score, place) => {
            if (!(score >= floor)) return;
            const { box, points } = at(place, outputs[k]!);
            detections.push(detectionAt(prepared[i]!, score, box, points));
          });
          found[i] = suppress(detections);
        });
      }
      return found;
    },
    async [Symbol.asyncDispose]() {
      await compiled.dispose();
      model.dispose();
    },
  };
}
