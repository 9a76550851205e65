import * as tf from "@tensorflow/tfjs-core";
import { compile, loadGraphModel } from "../compile/index.ts";
import { cropResize } from "../media/images.ts";
import type { Box, Image } from "../records.ts";
import { runInBatches } from "./batches.ts";
import { bundled, type RunOptions, runOptions } from "./models.ts";

/** What FaceMesh sees in a square. */
export interface MeshFace {
  /** x0, y0, …, x67, y67 in pixels of the frame that the square was cut from, in the order of iBUG 300-W. */
  readonly landmarks: Float32Array;
  /** How sure the network is that there is a face, 0..1. */
  readonly presence: number;
}

/** Pixels of a face → its 68 landmarks, and whether it is one. */
export interface FaceMesh extends AsyncDisposable {
  readonly name: string;
  readonly digest: string;
  /** The square around a detected face as the network reads it. */
  prepare(image: Image, face: Box): Promise<FaceSquare>;
  /** One answer for each square, in order. */
  look(squares: readonly FaceSquare[]): Promise<MeshFace[]>;
}

export interface FaceSquare {
  readonly box: Box;
  readonly input: Image;
}

const SIZE = 192;
/** MediaPipe's face landmark graph looks at a square 1.5 times the detector's box. */
const GROWTH = 1.5;

/**
 * FaceMesh (Kartynnik et al., Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs, 2019): 192 × 192
 * RGB in 0..1 → 468 points (x, y, z), of which 68 are kept, and a probability that a face is there (`output_faceflag`). The square is upright: faces that lean by more than about
 * 30 degrees are fitted less well than with MediaPipe, which turns the square to the eyes.
 */
export async function openFaceMesh(options: RunOptions): Promise<FaceMesh> {
  const model = await loadGraphModel(bundled("facemesh"), {
    anyBatch: true,
    outputs: ["output_mesh", "output_faceflag"],
  });
  const compiled = compile(
    ({ pixels }) => {
      const out = model.program({ input_1: tf.div(tf.cast(pixels!, "float32"), 255) });
      return { mesh: out.output_mesh!, presence: out.output_faceflag! };
    },
    { name: "facemesh", ...runOptions(options) },
  );
  return {
    name: "facemesh",
    digest: model.digest,
    async prepare(image, face) {
      const side = Math.max(face.width, face.height) * GROWTH;
      const box = {
        x: face.x + (face.width - side) / 2,
        y: face.y + (face.height - side) / 2,
        width: side,
        height: side,
      };
      return { box, input: await cropResize(image, box, { width: SIZE, height: SIZE }) };
    },
    async look(squares) {
      const outputs = await runInBatches(
        compiled,
        "pixels",
        squares.map(({ input }) => input),
      );
      return outputs.map(({ mesh, presence }, i) => {
        const { x, y, width } = squares[i]!.box;
        const scale = width / SIZE;
        const points = MESH_68.flatMap((p) => [x + mesh![p * 3]! * scale, y + mesh![p * 3 + 1]! * scale]);
        return { landmarks: Float32Array.from(points), presence: presence![0]! };
      });
    },
    async [Symbol.asyncDispose]() {
      await compiled.dispose();
      model.dispose();
    },
  };
}

/**
 * Mesh vertices that stand for the 68 points of iBUG 300-W (Sagonas et al., 300 Faces in-the-Wild Challenge, 2013,
 * Fig. 1), chosen from the contours that MediaPipe publishes with the mesh (`face_mesh_connections`: FACE_OVAL,
 * RIGHT/LEFT_EYEBROW, RIGHT/LEFT_EYE, LIPS) and, for the nose, its midline and alae. On the jaw the mesh's oval is the
 * face's outline as seen, so its points lie near, not on, hand-annotated ones.
 */
export const MESH_68: readonly number[] = [
  // Jaw, from the person's right ear over the chin to the left ear.
  127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356,
  // Right brow outwards in, left brow inwards out.
  70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
  // Nose: bridge down to the tip, then nostrils from right to left.
  168, 197, 5, 4, 98, 97, 2, 326, 327,
  // Eyes, each clockwise as seen from its left corner.
  33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
  // Outer lips, then inner lips, clockwise from the person's right corner.
  61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91, 78, 81, 13, 311, 308, 402, 14, 178,
];
