import * as tf from "@tensorflow/tfjs-core";
import { compile, loadGraphModel } from "../compile/index.ts";
import { blazeFaceAnchors } from "./anchors.ts";
import { bundledDetector } from "./bundled-detector.ts";
import type { Detector } from "./detector.ts";
import { bundled, type RunOptions, runOptions } from "./models.ts";
import { weightedNms } from "./nms.ts";

const SIZE = 256;
const ANCHORS = 896;
/** Centre, size, then right eye, left eye, nose tip, mouth, right ear, left ear; "right" is the person's own. */
const VALUES = 16;
/** MediaPipe's `min_suppression_threshold` for this network. */
const OVERLAP = 0.3;

/**
 * BlazeFace for the back camera (Bazarevsky et al., BlazeFace: Sub-millisecond Neural Face Detection, 2019; MediaPipe's
 * `face_detection_back`): 256 × 256 letterboxed RGB in −1..1 → 896 anchors, each a score logit and 16 offsets in input
 * pixels. The graph adds the anchors and applies the sigmoid; candidates are merged by weighted NMS.
 * Boxes are square and reach from the eyebrows to the chin; six landmarks.
 *
 * @param options.floor lowest score that is given, 0..1; candidates below it do not enter the merged boxes either.
 */
export async function openBlazeFace(options: RunOptions & { readonly floor: number }): Promise<Detector> {
  const model = await loadGraphModel(bundled("blazeface"), { anyBatch: true });
  const compiled = compile(
    ({ pixels }) => {
      const input = tf.sub(tf.div(tf.cast(pixels!, "float32"), 127.5), 1);
      const out = model.program({ input });
      const logits = tf.concat([out.Identity!, out.Identity_1!], 1);
      const offsets = tf.concat([out.Identity_2!, out.Identity_3!], 1);
      return {
        scores: tf.sigmoid(tf.reshape(logits, [-1, ANCHORS])),
        geometry: tf.add(offsets, tf.tensor(anchorOffsets(), [1, ANCHORS, VALUES])),
      };
    },
    { name: "blazeface", ...runOptions(options) },
  );
  return bundledDetector("blazeface", model, compiled, {
    size: SIZE,
    floor: options.floor,
    at(anchor, { geometry }) {
      const values = geometry!.subarray(anchor * VALUES, (anchor + 1) * VALUES);
      const [x, y, width, height] = values as unknown as [number, number, number, number];
      return { box: [x, y, width, height], points: values.subarray(4) };
    },
    suppress: (candidates) => weightedNms(candidates, OVERLAP),
  });
}

/** What turns the network's offsets into input pixels: the anchor's centre for every point, nothing for the size. */
function anchorOffsets(): Float32Array {
  const centres = blazeFaceAnchors();
  return Float32Array.from({ length: ANCHORS * VALUES }, (_, i) => {
    const value = i % VALUES;
    const isSize = value === 2 || value === 3;
    return isSize ? 0 : centres[Math.floor(i / VALUES) * 2 + (value % 2)]! * SIZE;
  });
}
