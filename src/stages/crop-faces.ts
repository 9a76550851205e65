import { z } from "zod";
import { ENGINES } from "../compile/types.ts";
import { cores } from "../cores.ts";
import { faceDetectorDigest, openFaceDetector } from "../vision/faces.ts";
import { DETECT } from "../vision/looks.ts";
import { bundledDigest } from "../vision/models.ts";
import { asPlanned } from "./as-planned.ts";
import { defineStage } from "./define.ts";

const options = z.strictObject({
  detector: z.string().optional().describe("an .onnx face detector of your own (YuNet layout) instead of BlazeFace"),
  minScore: z.number().min(0).max(1).default(0.5).describe("faces scored below this are not cut"),
  lowScore: z
    .number()
    .min(0.01)
    .max(1)
    .default(0.3)
    .describe("candidates from this score on continue tracks and show as low_score"),
  detect: z
    .enum(DETECT)
    .default("auto")
    .describe(
      "whole: BlazeFace sees each frame reduced to 256 pixels, and no faces below a twentieth of its longer side; tiles: also close enough for minSize; auto: that where it is needed",
    ),
  minSize: z.number().nonnegative().default(20).describe("faces with a shorter side than this, in pixels, are not cut"),
  crop: z
    .enum(["box", "landmarks"])
    .default("landmarks")
    .describe("what is cut: ANCLaF's box of 68 landmarks (FaceMesh), or the detector's box plus margin"),
  minPresence: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe(
      "boxes in which FaceMesh is less sure than this of a face are not cut (low_presence); below 48 px a tenth of it; 0: it is not asked for crop: box",
    ),
  margin: z.number().nonnegative().default(0.125).describe("share of the box added on each side, for crop: box"),
  size: z.int().positive().default(128).describe("side of the square crops, in pixels"),
  maxFaces: z
    .int()
    .positive()
    .optional()
    .describe("at most this many faces a frame; of more, those tracked longest are kept"),
  shotRatio: z
    .number()
    .min(1)
    .default(3)
    .describe(
      "a new shot begins, and tracks end, where the picture changes more than this many times as much as around it",
    ),
  maxGap: z.number().nonnegative().default(1).describe("seconds that a track waits for its face to come back"),
  batch: z
    .int()
    .positive()
    .max(64)
    .default(4)
    .describe("frames per call of the detector; with close looks four, whatever this says"),
  engine: z.enum(ENGINES).default("auto").describe("what runs the networks"),
  threads: z.int().positive().optional().describe("threads of the networks; default: half the cores"),
});

/** frame → crop: every face of every frame, tracked, cut square. A frame without a face still gives one row. */
export default defineStage({
  name: "crop-faces",
  summary: "frame* → face crops with track ids; frames without a face give a row that says so",
  version: 4,
  takes: "frame",
  gives: "crop",
  givesBack: true,
  options,
  // The detector is known by its digest; where it lies changes nothing.
  runtime: ["detector", "batch", "engine", "threads"],
  async models(options) {
    const mesh = needsMesh(options) ? { facemesh: await bundledDigest("facemesh") } : {};
    return { detector: await faceDetectorDigest(options.detector), ...mesh };
  },
  run: (options, context) =>
    async function* (frames) {
      // The other half is for the stages before and after: measured, all of them get on faster than when all take all.
      const { engine, threads = Math.ceil(cores() / 2), detector: path, lowScore, minScore } = options;
      const floor = Math.min(lowScore, minScore);
      const run = { engine, threads };
      const how = JSON.stringify([engine, threads]);
      const { cropSubjects } = await import("../vision/subjects.ts");
      const detector = await context.shared(`face detector ${path ?? "blazeface"} from ${floor} on ${how}`, () =>
        openFaceDetector({ ...run, detector: path, floor }),
      );
      asPlanned(context, { detector: detector.digest });
      const mesh = needsMesh(options)
        ? await context.shared(`facemesh on ${how}`, async () =>
            (await import("../vision/facemesh.ts")).openFaceMesh(run),
          )
        : undefined;
      context.facts.detector = { name: detector.name, engine: detector.engine, ...(mesh && { landmarks: mesh.name }) };
      const byLandmarks = options.crop === "landmarks";
      yield* cropSubjects(frames, { detector, mesh }, { ...options, most: options.maxFaces, byLandmarks }, context);
    },
});

function needsMesh({ crop, minPresence }: z.output<typeof options>): boolean {
  return crop === "landmarks" || minPresence > 0;
}
