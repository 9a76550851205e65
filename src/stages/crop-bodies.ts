import { z } from "zod";
import { ENGINES } from "../compile/types.ts";
import { bundledDigest } from "../vision/models.ts";
import { defineStage } from "./define.ts";

const options = z.strictObject({
  minScore: z.number().min(0).max(1).default(0.4).describe("people scored below this are not cut"),
  lowScore: z
    .number()
    .min(0.01)
    .max(1)
    .default(0.2)
    .describe("candidates from this score on continue tracks and show as low_score"),
  minSize: z.number().nonnegative().default(32).describe("boxes with a shorter side than this, in pixels, are not cut"),
  margin: z.number().nonnegative().default(0.05).describe("share of the box added on each side"),
  size: z.int().positive().default(128).describe("side of the square crops, in pixels"),
  maxBodies: z
    .int()
    .positive()
    .optional()
    .describe("at most this many people a frame; of more, those tracked longest are kept"),
  shotRatio: z
    .number()
    .min(1)
    .default(3)
    .describe(
      "a new shot begins, and tracks end, where the picture changes more than this many times as much as around it",
    ),
  maxGap: z.number().nonnegative().default(1).describe("seconds that a track waits for its person to come back"),
  batch: z.int().positive().max(64).default(4).describe("frames per call of the detector"),
  engine: z.enum(ENGINES).default("auto").describe("what runs the network"),
  threads: z.int().positive().optional().describe("threads of the network; default: all cores"),
});

/** frame → crop: every person of every frame, tracked, cut square. A frame without a person gives one `no_face` row. */
export default defineStage({
  name: "crop-bodies",
  summary: "frame* → body crops with track ids; frames without a person give a row that says so",
  version: 3,
  takes: "frame",
  gives: "crop",
  givesBack: true,
  options,
  runtime: ["batch", "engine", "threads"],
  models: async () => ({ detector: await bundledDigest("centernet") }),
  run: (options, context) =>
    async function* (frames) {
      const { engine, threads, lowScore, minScore } = options;
      const floor = Math.min(lowScore, minScore);
      const how = JSON.stringify([engine, threads ?? null]);
      const { openCenterNet } = await import("../vision/centernet.ts");
      const { cropSubjects } = await import("../vision/subjects.ts");
      const detector = await context.shared(`body detector centernet from ${floor} on ${how}`, () =>
        openCenterNet({ engine, ...(threads !== undefined && { threads }), floor }),
      );
      context.facts.detector = { name: detector.name, engine: detector.engine };
      yield* cropSubjects(frames, { detector }, { ...options, most: options.maxBodies }, context);
    },
});
