import { resolve } from "node:path";
import { z } from "zod";
import type { Entry } from "../cache/entry.ts";
import { chooseRecipe } from "../cache/recipe.ts";
import { type Stored, storedIn } from "../cache/stored.ts";
import type { LatentFold } from "../datasets/latent-folds.ts";
import { canonical, type Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import type { Latent, Refused, Source } from "../records.ts";
import { type Context, defineStage } from "./define.ts";

const labelSchema = z.object({ valence: z.number(), arousal: z.number() });

const options = z.strictObject({
  input: z.string().min(1).default("data/cache/latents").describe("folder that holds cached latents"),
  by: z
    .enum(["source", "fold"])
    .default("source")
    .describe("source: one entry after the other; fold: all clips of a fold at once, as a training needs them"),
  recipe: z
    .string()
    .regex(/^[0-9a-f]{4,16}$/, "is the first 4 to 16 hex digits of a recipe")
    .optional()
    .describe("where the folder holds latents made in several ways, which way, by its first hex digits"),
  fold: z
    .union([z.int().nonnegative(), z.string().regex(/^(all|\d+)$/, "is a number or all")])
    .default("all")
    .describe("of latents that are in folds: those of this fold alone, counted from 0; or all"),
  apart: z
    .boolean()
    .default(false)
    .describe("by source, entries of several folds and recipes, for what treats each by itself"),
  part: z
    .enum(["training", "validation", "test", "all"])
    .default("all")
    .describe("by source, of latents that are in folds: those of these people alone"),
  values: z
    .boolean()
    .default(true)
    .describe("read the values; without, each latent only says where they lie, for windows to read"),
  folds: z
    .int()
    .min(3)
    .default(5)
    .describe("by fold, of labelled videos that are in no folds yet: how many, if there are people enough"),
  splitSeed: z.int().nonnegative().default(1).describe("by fold, of such videos: decides who goes into which fold"),
});
type Options = z.output<typeof options>;

/**
 * The start of every cheap pipeline: cached latents, in the order and with the rows that they were stored with. Of a video
 * whose label file was edited, those with the labels of now: see `currentLabels`.
 */
export default defineStage({
  name: "read-latents",
  summary: "a cache folder → latent*, entry by entry or fold by fold, each entry verified before it is read",
  version: 1,
  takes: "none",
  gives: "latent",
  options,
  // What is chosen is known by its digest, which has the split in it where there is one.
  runtime: ["input", "recipe", "fold", "apart", "part", "values", "folds", "splitSeed"],
  async *sources(options, { signal, note }) {
    if (options.by === "fold") yield* foldSources(options, { signal, note });
    else yield* entrySources(options, { signal, note });
  },
  run: (options, context) =>
    async function* () {
      if (options.by === "fold") yield* readFold(options, context);
      else yield* readEntry(options, context);
    },
});

async function* entrySources(
  { input, recipe, fold: asked, part, apart }: Options,
  tools: Tools,
): AsyncGenerator<Source | Refused> {
  const fold = foldIn(asked);
  const { found: all, broken } = await currentIn(input, tools);
  const found = all.filter(
    ({ clip }) => (fold === undefined || clip?.fold === fold) && (part === "all" || clip?.part === part),
  );
  if (all.length > 0 && found.length === 0) {
    const wanted = [...(part === "all" ? [] : [`${part} people`]), ...(fold === undefined ? [] : [`fold ${fold}`])];
    throw new PipeError(`There are no cached latents of ${wanted.join(" of ")} in ${input}.`, {
      hint: `Make some: pipe run extract-faces${fold === undefined ? "" : ` --fold ${fold}`} --output ${input}`,
    });
  }
  if (!apart) checkTogether(found, input, recipe);
  const chosen = found.filter((one) => recipe === undefined || one.recipe.startsWith(recipe));
  const sources = chosen.map(sourceOf);
  yield* sources.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  yield* broken;
}

interface Tools {
  readonly signal: AbortSignal;
  note(message: string): void;
}

/** What is in a cache folder, less the entries of labels that were edited since. */
async function currentIn(input: string, tools: Tools): Promise<{ found: Stored[]; broken: Refused[] }> {
  const { currentLabels } = await import("../datasets/current-labels.ts");
  const { found, broken } = await storedIn(input, tools.signal);
  return { found: await currentLabels(found, tools), broken };
}

/** Latents that a training might mix by mistake: of several folds, or made in several ways. */
function checkTogether(found: readonly Stored[], input: string, recipe: string | undefined): void {
  const folds = [...new Set(found.map(({ clip }) => clip?.fold))].sort();
  if (folds.length > 1 && recipe === undefined)
    throw new PipeError(
      `${input} holds latents of several folds, each by its own model, which do not go together: ${folds.map((one) => one ?? "none").join(", ")}.`,
      { hint: "Choose one: --set read-latents.fold=0" },
    );
  chooseRecipe(
    found.map(({ recipe, marker }) => ({ recipe, parts: marker.keyParts })),
    recipe,
  );
}

/** Undefined: all of them. */
const foldIn = (fold: Options["fold"]): number | undefined => (fold === "all" ? undefined : Number(fold));

function sourceOf({ folder, name, bytes, digest, clip }: Stored): Source {
  return { path: folder, name, bytes, digest, ...(clip && { clip }) };
}

async function* foldSources(options: Options, tools: Tools): AsyncGenerator<Source> {
  const { input } = options;
  const wanted = foldIn(options.fold);
  const found = await foldsIn(options, tools);
  const chosen = found.filter(({ fold }) => wanted === undefined || fold === wanted);
  if (chosen.length === 0)
    throw new PipeError(`There are no cached latents of fold ${wanted} in ${input}.`, {
      hint: `There are those of fold ${found.map(({ fold }) => fold).join(", ")}.`,
    });
  for (const { fold, digest, clips } of chosen) {
    const bytes = clips.reduce((sum, { stored }) => sum + stored.bytes, 0);
    yield { path: resolve(input), name: `fold-${fold}`, bytes, digest };
  }
}

/** A training must not begin without some of its people because their entries are broken. */
async function foldsIn(options: Options, tools: Tools): Promise<LatentFold[]> {
  if (options.part !== "all")
    throw new PipeError("read-latents gives a fold whole: part chooses among sources.", {
      hint: "Leave part out, or read by source: --set read-latents.by=source",
    });
  const { latentFolds } = await import("../datasets/latent-folds.ts");
  const { found, broken } = await currentIn(options.input, tools);
  if (broken.length > 0)
    throw new PipeError(
      `${broken.length} ${broken.length === 1 ? "entry" : "entries"} in ${options.input} cannot be read: ${broken
        .slice(0, MOST)
        .map(({ name, refused }) => `${name}: ${refused}`)
        .join("; ")}${broken.length > MOST ? "; …" : ""}.`,
      { hint: "Run the pipeline that made them again: it replaces broken entries." },
    );
  return latentFolds(found, options, tools.note);
}

const MOST = 5;

async function* readEntry({ values }: Options, context: Context): AsyncGenerator<Latent, void, void> {
  const { openEntry } = await import("../cache/entry.ts");
  using entry = await openEntry(context.source.path);
  const { originFact } = await import("../cache/origin.ts");
  Object.assign(context.facts, entry.marker.facts, originFact(entry.marker));
  yield* latentsIn(entry, values, context);
  context.verdict(entry.marker.verdict, entry.marker.detail);
}

/** Every latent says whose it is: a fold is many sources in one task. */
async function* readFold(options: Options, context: Context): AsyncGenerator<Latent, void, void> {
  const { openEntry } = await import("../cache/entry.ts");
  const { source, signal, facts } = context;
  const { folds } = await context.shared(`read-latents ${canonical(options as Json)}`, async () => ({
    // What there is to say was said when the sources were looked for.
    folds: await foldsIn(options, { signal, note: () => {} }),
    async [Symbol.asyncDispose]() {},
  }));
  const found = folds.find(({ digest }) => digest === source.digest);
  if (found === undefined)
    throw new PipeError(`${options.input} was written to after its folds were looked at.`, {
      hint: "Run the same command again.",
    });
  const { fold, folds: of, split, clips } = found;
  Object.assign(facts, found.facts, { fold: { fold, folds: of, digest: split, clips: clips.length } });
  const short = clips.filter(({ stored }) => stored.marker.verdict !== "complete");
  if (short.length > 0)
    context.note(`${short.length} of ${clips.length} clips were cut short or damaged when their latents were made.`);
  for (const { stored, clip } of clips) {
    using entry = await openEntry(stored.folder);
    yield* latentsIn(entry, options.values, context, { source: stored.name, clip });
  }
  context.verdict("complete");
}

async function* latentsIn(
  entry: Entry,
  values: boolean,
  { ledger, signal }: Context,
  whose: Pick<Latent, "source" | "clip"> = {},
): AsyncGenerator<Latent, void, void> {
  const seen = new Set<number>();
  for await (const { z: row, labels, ...rest } of entry.rows()) {
    signal.throwIfAborted();
    if (seen.has(rest.index)) ledger.add("extra");
    else for (const name of ["demuxed", "decoded", "sampled"] as const) ledger.add(name);
    seen.add(rest.index);
    const z = row === null || !values ? null : new Float32Array(entry.size);
    if (z !== null) entry.readZ(row!, 1, z);
    const label = labelSchema.safeParse(labels).data;
    const place = row !== null && { place: { folder: entry.folder, row } };
    yield { kind: "latent", ...rest, ...(label && { label }), z, shape: entry.shape, ...place, ...whose };
  }
}
