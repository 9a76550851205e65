import type { Compiled, LoadedGraphModel } from "../compile/index.ts";
import { runInBatches } from "./batches.ts";
import { type Detection, type Detector, detectionAt } from "./detector.ts";
import type { Bundled } from "./models.ts";
import { fitInto } from "./prepared.ts";

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
    readonly suppress: (detections: Detection[]) => Detection[];
  },
): Detector {
  const { size, floor, at, suppress } = parts;
  return {
    name,
    digest: model.digest,
    engine: compiled.engine,
    prepare: (image) => fitInto(image, { width: size, height: size }),
    async infer(prepared) {
      const images = prepared.map(({ input }) => input);
      const outputs = await runInBatches(compiled, "pixels", images);
      return outputs.map((output, i) => {
        const detections: Detection[] = [];
        output.scores!.forEach((score, place) => {
          if (!(score >= floor)) return;
          const { box, points } = at(place, output);
          detections.push(detectionAt(prepared[i]!, score, box, points));
        });
        return suppress(detections);
      });
    },
    async [Symbol.asyncDispose]() {
      await compiled.dispose();
      model.dispose();
    },
  };
}
