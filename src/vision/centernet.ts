import * as tf from "@tensorflow/tfjs-core";
import { compile, loadGraphModel } from "../compile/index.ts";
import { bundledDetector } from "./bundled-detector.ts";
import type { Detector } from "./detector.ts";
import { bundled, type RunOptions, runOptions } from "./models.ts";
import { greedyNms } from "./nms.ts";

const SIZE = 512;
const STRIDE = 4;
const CELLS = SIZE / STRIDE;
/** COCO's first class. */
const PERSON = 0;
/** Two peaks of one person overlap more than two people do; the paper needs no NMS, this small backbone does. */
const OVERLAP = 0.5;

/**
 * People by CenterNet with a MobileNetV3 backbone (Zhou et al., Objects as Points, 2019): 512 × 512 letterboxed RGB in
 * 0..255 → per stride-4 cell a heat for each of COCO's 80 classes and the distances from the cell to the box's left,
 * top, right and bottom edges, in input pixels. A person is a local maximum (3 × 3) of the person heat (paper §3), found
 * inside the graph; the rest of the model's own decoding, which is for one image and all classes, is left out.
 *
 * @param options.floor lowest score that is given, 0..1.
 */
export async function openCenterNet(options: RunOptions & { readonly floor: number }): Promise<Detector> {
  const model = await loadGraphModel(bundled("centernet"), {
    anyBatch: true,
    outputs: ["tower_0/keypoints", "tower_0/wh"],
  });
  const compiled = compile(
    ({ pixels }) => {
      const out = model.program({ "tower_0/images": tf.cast(pixels!, "float32") });
      const heat = tf.slice(out["tower_0/keypoints"]! as tf.Tensor4D, [0, 0, 0, PERSON], [-1, CELLS, CELLS, 1]);
      const peaks = tf.cast(tf.equal(heat, tf.maxPool(heat as tf.Tensor4D, 3, 1, "same")), "float32");
      return { scores: tf.mul(heat, peaks), edges: out["tower_0/wh"]! };
    },
    { name: "centernet", ...runOptions(options) },
  );
  return bundledDetector("centernet", model, compiled, {
    size: SIZE,
    floor: options.floor,
    at(cell, { edges }) {
      const [x, y] = [(cell % CELLS) * STRIDE, Math.floor(cell / CELLS) * STRIDE];
      const [left, top, right, bottom] = edges!.subarray(cell * 4, cell * 4 + 4) as unknown as number[];
      const box = [x + (right! - left!) / 2, y + (bottom! - top!) / 2, left! + right!, top! + bottom!] as const;
      return { box, points: null };
    },
    suppress: (candidates) => greedyNms(candidates, OVERLAP),
  });
}
