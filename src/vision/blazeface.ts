import * as tf from "@tensorflow/tfjs-core";
import { compile, loadGraphModel } from "../compile/index.ts";
import type { Size } from "../media/images.ts";
import { blazeFaceAnchors } from "./anchors.ts";
import { bundledDetector } from "./bundled-detector.ts";
import type { Detector } from "./detector.ts";
import { bundled, type RunOptions, runOptions } from "./models.ts";
import { weightedNms } from "./nms.ts";

const SIZE = 256;
/** Centre, size, then right eye, left eye, nose tip, mouth, right ear, left ear; "right" is the person's own. */
const VALUES = 16;
/** The convolutions behind its outputs, which are shaped for 256 × 256 alone: scores and offsets, 16 and 32 pixels a cell. */
const HEADS = [33, 34, 35, 36].map((n) => `StatefulPartitionedCall/functional_1/conv2d_${n}/BiasAdd`);
/** MediaPipe's `min_suppression_threshold` for this network. */
const OVERLAP = 0.3;

/**
 * BlazeFace for the back camera (Bazarevsky et al., BlazeFace: Sub-millisecond Neural Face Detection, 2019; MediaPipe's
 * `face_detection_back`): 256 × 256 letterboxed RGB in −1..1 → 896 anchors, each a score logit and 16 offsets in input
 * pixels. The graph adds the anchors and applies the sigmoid; candidates are merged by weighted NMS.
 * Boxes are square and reach from the eyebrows to the chin; six landmarks. Its layers are convolutions, so that it also
 * looks at larger inputs, with as many anchors more: it finds faces from 13 to about 200 pixels of the input.
 *
 * @param options.floor lowest score that is given, 0..1; candidates below it do not enter the merged boxes either.
 */
export async function openBlazeFace(options: RunOptions & { readonly floor: number }): Promise<Detector> {
  const model = await loadGraphModel(bundled("blazeface"), { anyBatch: true, anySize: true, outputs: HEADS });
  const compiled = compile(
    ({ pixels }) => {
      const input = tf.sub(tf.div(tf.cast(pixels!, "float32"), 127.5), 1);
      const out = model.program({ input });
      const [batch, height, width] = input.shape as [number, number, number];
      const centres = anchorOffsets({ width, height });
      const anchors = centres.length / VALUES;
      const joined = (heads: readonly string[], values: number) =>
        tf.concat(
          heads.map((name) => tf.reshape(out[name]!, [batch, -1, values])),
          1,
        );
      return {
        scores: tf.sigmoid(tf.reshape(joined(HEADS.slice(0, 2), 1), [batch, anchors])),
        geometry: tf.add(joined(HEADS.slice(2), VALUES), tf.tensor(centres, [1, anchors, VALUES])),
      };
    },
    { name: "blazeface", ...runOptions(options) },
  );
  return bundledDetector("blazeface", model, compiled, {
    size: SIZE,
    floor: options.floor,
    zooms: true,
    at(anchor, { geometry }) {
      const values = geometry!.subarray(anchor * VALUES, (anchor + 1) * VALUES);
      const [x, y, width, height] = values as unknown as [number, number, number, number];
      return { box: [x, y, width, height], points: values.subarray(4) };
    },
    suppress: (candidates) => weightedNms(candidates, OVERLAP),
  });
}

/** What turns the network's offsets into input pixels: the anchor's centre for every point, nothing for the size. */
function anchorOffsets(size: Size): Float32Array {
  const centres = blazeFaceAnchors(size);
  return Float32Array.from({ length: (centres.length / 2) * VALUES }, (_, i) => {
    const value = i % VALUES;
    const isSize = value === 2 || value === 3;
    return isSize
      ? 0
      : centres[Math.floor(i / VALUES) * 2 + (value % 2)]! * (value % 2 === 0 ? size.width : size.height);
  });
}
