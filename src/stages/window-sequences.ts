import { z } from "zod";
import { type WindowSource, type WindowsOptions, windowsOf } from "../cache/windows.ts";
import { PipeError } from "../errors.ts";
import type { Latent, Window } from "../records.ts";
import { type Context, defineStage } from "./define.ts";

const steps = z.int().min(1).max(4096);
const milliseconds = z.number().positive();

const options = z
  .strictObject({
    n: z
      .union([steps, z.array(z.union([steps, z.array(steps)])).min(1)])
      .optional()
      .describe("steps in a window; of several lengths, lists among them, each one's windows are given; default 8"),
    milliseconds: z
      .union([milliseconds, z.array(milliseconds).min(1)])
      .optional()
      .describe("instead of n: how long a window is, in each track's own number of frames"),
    stride: steps.optional().describe("steps from one window's start to the next one's; default: the window's length"),
    sliding: z.boolean().default(false).describe("a window for every frame, that ends there"),
    gap: z
      .number()
      .nonnegative()
      .default(200)
      .describe("milliseconds without a face, above which windows end; shorter holes stay inside as missing steps"),
  })
  .refine(({ n, milliseconds }) => n === undefined || milliseconds === undefined, {
    message: "is n given as time: give one of the two",
    path: ["milliseconds"],
  })
  .refine(({ stride, sliding }) => stride === undefined || !sliding, {
    message: "is always 1 where sliding is on: leave it out",
    path: ["stride"],
  })
  .refine(({ n, milliseconds, stride }) => milliseconds !== undefined || (stride ?? 1) <= Math.min(...lengthsOf(n)), {
    message: "is longer than a window, so that frames between two windows would never be scored",
    path: ["stride"],
  });
type Options = z.output<typeof options>;

/** Each length once. */
function lengthsOf(n: number | readonly (number | readonly number[])[] = 8): number[] {
  return [...new Set([n].flat(2) as number[])];
}

/**
 * latent → window: what sequence models read. Every frame of a track is scored once for each length, tails and short tracks
 * included; see `windowsOf`. Values stay on disk, so that a fold's windows fit into memory whatever its latents are.
 */
export default defineStage({
  name: "window-sequences",
  summary: "latent* → windows of n frames of one track, every frame scored once",
  version: 1,
  takes: "latent",
  gives: "window",
  options,
  run: (options, context) =>
    async function* (latents) {
      let windows = 0;
      for await (const rows of bySource(latents, context))
        for (const window of cut(rows, options, context)) {
          windows += 1;
          yield window;
        }
      if (windows === 0) context.note("there is no face in it, so that there are no windows.");
    },
});

/** All rows of one source at a time. */
async function* bySource(latents: AsyncIterable<Latent>, { ledger, signal, source }: Context) {
  let rows: Latent[] = [];
  for await (const latent of latents) {
    signal.throwIfAborted();
    const last = rows.at(-1);
    if (last && (last.source !== latent.source || last.clip?.id !== latent.clip?.id)) {
      yield rows;
      rows = [];
    }
    rows.push(stored(latent, latent.source ?? source.name));
    ledger.row(latent.status);
  }
  yield rows;
}

/** The windows of one source. */
function* cut(rows: readonly Latent[], options: Options, { source }: Context): Generator<Window, void, void> {
  const first = rows.find(({ place }) => place !== undefined);
  if (first === undefined) return;
  const of: WindowSource = {
    source: first.source ?? source.name,
    clip: first.clip ?? source.clip ?? null,
    folder: first.place!.folder,
    shape: first.shape,
  };
  yield* windowsOf(rows, of, optionsOf(options));
}

function optionsOf({ n, milliseconds, stride, sliding, gap }: Options): WindowsOptions {
  const lengths = milliseconds === undefined ? { n: lengthsOf(n) } : { milliseconds: [milliseconds].flat() };
  return { lengths, gap, sliding, ...(stride !== undefined && { stride }) };
}

/** The latent without its values, which would fill the memory. */
function stored(latent: Latent, source: string): Latent {
  if (latent.z !== null && latent.place === undefined)
    throw new PipeError(`The latents of ${source} are in no cache, and windows only say where values lie.`, {
      hint: "End the pipeline with cache-latents, and begin another with read-latents.",
    });
  return latent.z === null ? latent : { ...latent, z: null };
}
