import { join, resolve } from "node:path";
import { z } from "zod";
import { PipeError } from "../errors.ts";
import type { Face, Trace } from "../report/experiment.ts";
import type { TestTrack } from "../report/sequence-traces.ts";
import { type Context, defineStage } from "./define.ts";
import { openPage } from "./next.ts";

/**
 * The evidence of sequence models as one page: the papers' tables with ours beside them, what some models are better than
 * others by, scores against the window's length and the frames seen in it, a clip over time with faces and attention, whether attention goes to what
 * moves, and training curves; figures as SVG and PNG, tables as CSV. Several folders are one experiment, with a seed each. No
 * network runs.
 */
export default defineStage({
  name: "report-seq",
  summary: "trained sequence models → artifact: the papers' tables and figures with ours beside them, as one page",
  version: 3,
  takes: "none",
  gives: "artifact",
  options: z.strictObject({
    input: z
      .array(z.string().min(1))
      .min(1)
      .default(["data/runs/train-seq"])
      .describe("folders that train-seq wrote, or globs: runs of one experiment, each with another seed"),
    frames: z
      .string()
      .min(1)
      .default("data/runs/train-anclaf")
      .describe(
        "folder that train-anclaf wrote: gives the frame model's row, faces and landmarks; left out where there is none",
      ),
    output: z.string().min(1).default("data/runs/report-seq").describe("folder of the page, and of this alone"),
  }),
  runtime: ["input", "output"],
  output: ({ output }) => output,
  next: ({ output }) => [openPage(join(output, "index.html"))],
  async *sources({ input }, { note }) {
    const { trainingsSource } = await import("../report/sequence-evidence.ts");
    yield await trainingsSource(input, note);
  },
  run: ({ output, ...given }, context) =>
    async function* () {
      const { yardsticksOf } = await import("../datasets/yardsticks.ts");
      const { readEvidence } = await import("../report/sequence-evidence.ts");
      const { sequenceExperiment } = await import("../report/sequence-experiment.ts");
      const { writeExperimentReport } = await import("../report/write-report.ts");
      const evidence = await readEvidence(given, yardsticksOf, (message) => context.note(message));
      await using seen = await facesOf(evidence.frames[0]?.result.store, context);
      const experiment = await sequenceExperiment({
        ...evidence,
        movements: seen ? [{ name: "motion of the landmarks", speed: seen.landmarkSpeed }] : [],
        faces: seen?.faces ?? null,
      });
      const folder = resolve(output);
      const bytes = await writeExperimentReport(experiment, folder, { signal: context.signal });
      context.verdict("complete");
      yield { kind: "artifact", path: folder, bytes };
    },
});

/** Faces and landmarks from the face store that the frame models were trained on, if it is still there. */
async function facesOf(folder: string | undefined, context: Context) {
  if (folder === undefined) return null;
  const { openFaceStore } = await import("../datasets/face-store.ts");
  const { faceLookup } = await import("../datasets/face-lookup.ts");
  const { landmarkSpeed } = await import("../report/attention.ts");
  const store = await openFaceStore(folder, { signal: context.signal }).catch((error: unknown) => {
    if (!(error instanceof PipeError)) throw error;
    context.note(`Faces and landmarks are left out: ${error.message}`);
  });
  if (!store) return null;
  const lookup = faceLookup(store);
  return {
    landmarkSpeed: ({ clip, frames, pts }: TestTrack) =>
      landmarkSpeed(
        frames.map((frame) => lookup.landmarks(clip, frame)),
        pts,
      ),
    async faces({ clip, frames, zooms }: Trace): Promise<Face[]> {
      const shown = zooms.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i));
      const pictures = await lookup.pictures(
        clip,
        shown.map((at) => frames[at]!),
        FACE,
      );
      return shown.flatMap((at) => {
        const image = pictures.get(frames[at]!);
        return image === undefined ? [] : [{ at, image }];
      });
    },
    [Symbol.asyncDispose]: () => store.dispose(),
  };
}

/** Pixels: twice what is drawn, for sharp screens. */
const FACE = 80;
