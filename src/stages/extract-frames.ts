import { z } from "zod";
import { clock } from "../duration.ts";
import { PipeError, reasonOf } from "../errors.ts";
import { DECODERS } from "../media/types.ts";
import { type Context, defineStage } from "./define.ts";

/**
 * The start of every expensive pipeline: the frames of a video, upright, with square pixels and the container's own
 * timestamps. Which frames are sampled is decided by time, never by counting.
 */
export default defineStage({
  name: "extract-frames",
  summary: "videos → frame*: decoded, upright, RGB, sampled by timestamp",
  version: 3,
  takes: "none",
  gives: "frame",
  options: z.strictObject({
    input: z.array(z.string().min(1)).min(1).default(["data/samples"]).describe("videos, folders of videos, or globs"),
    follow: z.boolean().default(false).describe("also enter links to folders; links to files are always taken"),
    fps: z.number().positive().optional().describe("at most this many frames a second; default: all"),
    start: z
      .number()
      .nonnegative()
      .optional()
      .describe("leave out what comes before this second of the container's clock"),
    end: z.number().positive().optional().describe("leave out what comes from this second of the container's clock on"),
    decoder: z
      .enum(DECODERS)
      .default("auto")
      .describe("libav inside this package (auto), or the ffmpeg executable of this machine"),
    maxPixels: z.int().positive().optional().describe("refuse frames of more pixels than this"),
    timeout: z.number().positive().optional().describe("give a video up after this many seconds"),
    stall: z.number().positive().optional().describe("give a video up when no frame comes for this many seconds"),
  }),
  runtime: ["input", "follow", "maxPixels", "timeout", "stall"],
  async *sources({ input, follow }, { signal, digest, note }) {
    const { expandInputs } = await import("../media/inputs.ts");
    for await (const found of expandInputs(input, { signal, follow, note })) {
      if ("refused" in found) yield found;
      else
        try {
          yield { ...found, digest: await digest(found.path) };
        } catch (error) {
          signal.throwIfAborted();
          yield { path: found.path, name: found.name, refused: reasonOf(error) };
        }
    }
  },
  run: ({ input: _, follow: __, ...options }, { source, signal, ledger, verdict, warn, standing, facts, getsBack }) =>
    async function* () {
      if (options.start !== undefined && options.end !== undefined && options.end <= options.start)
        throw new PipeError(`extract-frames: end (${options.end} s) is not after start (${options.start} s).`);
      if (options.start !== undefined || options.end !== undefined)
        facts.part = {
          ...(options.start !== undefined && { start: options.start }),
          ...(options.end !== undefined && { end: options.end }),
        };
      const { decode, probe } = await import("../media/index.ts");
      const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
      // Short videos are over before anybody asks.
      const long = source.bytes >= LONG ? await probe(source.path, { ...given, signal }).catch(() => null) : null;
      const told = new Told(standing, long?.duration ?? null, options);
      const decoding = decode(source.path, { ...given, signal, recycle: getsBack === true });
      for await (const { index, pts, firstPts, image } of decoding) {
        // Known before the first record, to stages that count time from the first frame. Most files begin at 0.
        if (firstPts !== 0) facts.firstPts = firstPts;
        told.at(pts, firstPts);
        yield { kind: "frame", index, pts, image };
      }
      const ending = await decoding.ending;
      for (const name of ["demuxed", "decoded", "failed", "sampled", "skipped"] as const)
        ledger.add(name, ending.counts[name]);
      for (const warning of ending.warnings) warn(warning);
      verdict(ending.verdict, ending.detail);
    },
});

/** Bytes from which on a video is long enough to say how far it is. */
const LONG = 8e6;
/** Milliseconds between two words of how far it is. */
const BETWEEN = 500;

/** Says now and then how far a video is: `12 % of 1:02:03`. Says nothing where its duration is not known. */
class Told {
  readonly #say: Context["standing"];
  readonly #duration: number | null;
  readonly #part: { readonly start?: number | undefined; readonly end?: number | undefined };
  #last = Number.NEGATIVE_INFINITY;

  /** @param duration microseconds */
  constructor(
    say: Context["standing"],
    duration: number | null,
    part: { start?: number | undefined; end?: number | undefined },
  ) {
    this.#say = say;
    this.#duration = duration;
    this.#part = part;
  }

  /** A frame has come. Microseconds. */
  at(pts: number, firstPts: number): void {
    const now = performance.now();
    if (this.#duration === null || now - this.#last < BETWEEN) return;
    this.#last = now;
    const from = Math.max(firstPts, (this.#part.start ?? 0) * 1e6);
    const to = Math.min(firstPts + this.#duration, (this.#part.end ?? Number.POSITIVE_INFINITY) * 1e6);
    if (to <= from) return;
    const share = Math.min(1, Math.max(0, (pts - from) / (to - from)));
    this.#say(share, `${Math.floor(share * 100)} % of ${clock((to - from) / 1e6)}`);
  }
}
