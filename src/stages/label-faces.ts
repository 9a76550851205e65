import { z } from "zod";
import type { Said } from "../datasets/label-at.ts";
import type { LabelCount } from "../datasets/label-use.ts";
import type { LabelFile, LabelRange } from "../datasets/types.ts";
import { PipeError } from "../errors.ts";
import type { Crop, Source } from "../records.ts";
import { type Context, defineStage } from "./define.ts";

const interval = z
  .array(z.number())
  .length(2)
  .refine(([low, high]) => low! < high!, "is the lowest value and then the highest");

const options = z.strictObject({
  labels: z
    .enum(["auto", "required", "none"])
    .default("auto")
    .describe("clip.labels.csv beside clip.mp4: read where there is one, asked of every video, or left alone"),
  labelClock: z
    .enum(["shown", "container"])
    .default("shown")
    .describe("what seconds of a label file count from: the first frame shown, as players do, or the container's zero"),
  valence: interval
    .default([-1, 1])
    .describe("lowest and highest valence that may be, where a label file declares none"),
  arousal: interval
    .default([-1, 1])
    .describe("lowest and highest arousal that may be, where a label file declares none"),
  between: z
    .enum(["nearest", "linear"])
    .default("nearest")
    .describe(
      "a frame's label: the nearest within half a frame, or on the line between the one before and the one after",
    ),
  maxGap: z.number().nonnegative().default(1).describe("seconds between two labels, above which no line is drawn"),
  minOverlap: z
    .number()
    .min(0.01)
    .max(1)
    .default(0.3)
    .describe("intersection over union with a label's box, from which on a face is that person's"),
});
type Options = z.output<typeof options>;

/**
 * crop → crop: faces get the labels of a file beside the video, `clip.labels.csv` for `clip.mp4` (`labelsIn` tells its
 * columns, `findLabelFile` which file it is). Without one every row passes as it is. The file's bytes are part of the video's key.
 */
export default defineStage({
  name: "label-faces",
  summary: "crop* → crop*: valence and arousal from a label file beside the video, if there is one",
  version: 2,
  takes: "crop",
  gives: "crop",
  options,
  // What it decides, whether there are labels, shows in the files that are read.
  runtime: ["labels"],
  annotates: {
    facts: ["range", "labelled", "faces", "labelUse", "subjects", "people", "subject", "labelWarnings"],
    warnings: "labelWarnings",
  },
  async filesFor(options, source, { note }): Promise<Record<string, string>> {
    const found = await labelsOf(options, source);
    if (options.labels !== "none") {
      const { strayLabelFiles } = await import("../datasets/label-path.ts");
      for (const line of await strayLabelFiles(source.path)) note(line);
    }
    return found === undefined ? {} : { labels: found.digest };
  },
  run: (options, context) =>
    async function* (crops) {
      const found = await labelsOf(options, context.source);
      checkPlanned(context, found?.digest);
      if (found === undefined) yield* crops;
      else yield* labelled(crops, found.labels, options, context);
    },
});

async function labelsOf(options: Options, { path, name }: Source) {
  if (options.labels === "none") return undefined;
  const { readLabelFile } = await import("../datasets/label-file.ts");
  const { labelFileOf } = await import("../datasets/label-path.ts");
  const range: LabelRange = {
    valence: options.valence as [number, number],
    arousal: options.arousal as [number, number],
  };
  const found = await readLabelFile(path, range);
  if (found === undefined && options.labels === "required")
    throw new PipeError(`${name} has no labels: there is no ${labelFileOf(path)}.`, {
      hint: "Put its labels there, or take videos without labels too: --labels auto",
    });
  return found;
}

const planned = z.object({ steps: z.array(z.object({ files: z.record(z.string(), z.string()).optional() })).min(1) });

/** The rows will stand under a key that was made from the label file as it was then. */
function checkPlanned({ keyParts, source }: Context, digest: string | undefined): void {
  const parts = planned.safeParse(keyParts);
  if (parts.success && parts.data.steps.at(-1)!.files?.labels !== digest)
    throw new PipeError(`The labels of ${source.name} were changed after this run had looked at them.`, {
      hint: "Run the same command again.",
    });
}

async function* labelled(
  crops: AsyncIterable<Crop>,
  labels: LabelFile,
  options: Options,
  context: Context,
): AsyncGenerator<Crop, void, void> {
  const { momentOf, saidAt } = await import("../datasets/label-at.ts");
  const { saidOfFaces } = await import("../datasets/label-match.ts");
  const { LabelCount } = await import("../datasets/label-use.ts");
  const { facts, signal, source, note } = context;
  const { range, people, clock, file } = labels;
  const warn = (message: string) => {
    facts.labelWarnings = [...((facts.labelWarnings ?? []) as readonly string[]), message];
    context.warn(message);
  };
  facts.range = { valence: [...range.valence], arousal: [...range.arousal] };
  for (const { name, also } of people)
    if (also !== undefined) warn(`${file} names ${[name, ...also].join(" and ")}: they are taken for one person.`);
  const [seen, count] = [new Sightings(people), new LabelCount(labels)];
  let [faces, unclear] = [0, 0];
  for await (const { before, rows, after } of framesIn(crops)) {
    signal.throwIfAborted();
    // The stage that reads the video says where it begins before its first record comes.
    const zero = options.labelClock === "shown" && typeof facts.firstPts === "number" ? facts.firstPts : 0;
    const place = (row: Crop) => ({ index: row.index, pts: row.pts - zero });
    const moment = momentOf(clock, place(rows[0]!), before && place(before), after && place(after));
    const said = saidAt(labels, moment, options);
    count.add(moment, said);
    const boxes = rows.map(({ box, track }) => (track < 0 ? null : box));
    const own = saidOfFaces(boxes, said, options.minOverlap);
    const visible = boxes.filter((box) => box !== null).length;
    faces += visible;
    if (!labels.boxed && said.length > 0 && visible > 0 && own.every((one) => one === undefined)) unclear += 1;
    for (const [i, crop] of rows.entries()) {
      if (own[i] === undefined) yield crop;
      else {
        seen.add(crop.track, own[i]!);
        yield { ...crop, label: own[i]!.label };
      }
    }
  }
  facts.labelled = seen.rows;
  facts.faces = faces;
  facts.labelUse = { ...count.use };
  Object.assign(facts, seen.facts());
  if (unclear > 0)
    warn(
      `${unclear} ${unclear === 1 ? "frame has" : "frames have"} labels and several faces or people, and ${file} has no boxes (x, y, width, height) to say whose: they stay without.`,
    );
  for (const line of seen.mixed()) warn(line);
  const outside = outsideOf(count, labels, facts.part as Part | undefined);
  if (outside !== undefined) warn(outside);
  if (faces > 0 && seen.rows === 0)
    warn(`none of its ${faces} faces has a label: the times or boxes in ${file} are none of ${source.name}'s.`);
  else if (seen.rows < faces) note(`labelled ${seen.rows} of ${faces} faces.${joined(count, options)}`);
}

/** The part of a video that was asked for, seconds of the container's clock. */
type Part = { readonly start?: number; readonly end?: number };

/** Labels of times at which the video has no frames, unless they were left out on purpose. */
function outsideOf(count: LabelCount, { file, clock }: LabelFile, part: Part = {}): string | undefined {
  const { all, ...use } = count.use;
  const before = part.start === undefined ? use.before : 0;
  const after = part.end === undefined ? use.after : 0;
  if (before + after === 0) return undefined;
  const { last } = count;
  const end = last === undefined ? "" : clock === "pts" ? ` (${last / 1e6} s)` : ` (${last})`;
  const where = [before > 0 && `${before} before the first`, after > 0 && `${after} after the last${end}`];
  return `${before + after} of ${all} labels in ${file} are on no frame: ${where.filter(Boolean).join(", ")}.`;
}

/** What to do where labels are rarer than frames; empty where they are not. */
function joined(count: LabelCount, { between, maxGap }: Options): string {
  const { frames, labels } = count.intervals;
  if (between === "linear" || frames === null || labels === null || labels < 1.5 * frames) return "";
  const [every, each] = [labels, frames].map((micros) => Number((micros / 1e6).toPrecision(3)));
  const gap = labels / 1e6 > maxGap ? ` --set label-faces.maxGap=${every}` : "";
  return ` Its labels are ${every} s apart and its frames ${each} s; lines join them: --set label-faces.between=linear${gap}`;
}

interface Neighbourhood {
  readonly before: Crop | undefined;
  /** Those of one frame, at least one. */
  readonly rows: readonly Crop[];
  readonly after: Crop | undefined;
}

/** Rows by frame, each frame with a row of those beside it: one frame is held back until the next has begun. */
async function* framesIn(crops: AsyncIterable<Crop>): AsyncGenerator<Neighbourhood, void, void> {
  let before: Crop | undefined;
  let rows: Crop[] = [];
  for await (const crop of crops) {
    if (rows.length > 0 && rows[0]!.index !== crop.index) {
      yield { before, rows, after: crop };
      before = rows[0]!;
      rows = [];
    }
    rows.push(crop);
  }
  if (rows.length > 0) yield { before, rows, after: undefined };
}

/** Who was seen on which track. */
class Sightings {
  readonly #people: LabelFile["people"];
  readonly #tracks = new Map<number, number[]>();
  rows = 0;

  constructor(people: LabelFile["people"]) {
    this.#people = people;
  }

  add(track: number, { person }: Said): void {
    const counts = this.#tracks.get(track) ?? this.#people.map(() => 0);
    this.#tracks.set(track, counts);
    counts[person]! += 1;
    this.rows += 1;
  }

  /**
   * `subjects`: by track, who it mostly is; `people`: everybody who was seen, be it for a frame; `subject`: the only one
   * whom the file names. None where it names nobody.
   */
  facts(): { subjects?: Record<string, string>; people?: string[]; subject?: string } {
    const [first, ...others] = this.#people;
    if (first!.name === null) return {};
    const people = this.#people.flatMap(({ name }, i) =>
      [...this.#tracks.values()].some((counts) => counts[i]! > 0) ? [name!] : [],
    );
    const named = [...this.#tracks]
      .sort(([a], [b]) => a - b)
      .map(([track, counts]) => [track, this.#people[counts.indexOf(Math.max(...counts))]!.name!] as const);
    return { subjects: Object.fromEntries(named), people, ...(others.length === 0 && { subject: first!.name }) };
  }

  /** A line for each track that is more than one person's: their labels are right, and the track is not one face. */
  mixed(): string[] {
    return [...this.#tracks]
      .filter(([, counts]) => counts.filter((n) => n > 0).length > 1)
      .map(([track, counts]) => {
        const who = counts.flatMap((n, i) => (n > 0 ? [`${this.#people[i]!.name} ${n}`] : []));
        return `track ${track} has labels of several people: ${who.join(", ")}.`;
      });
  }
}
