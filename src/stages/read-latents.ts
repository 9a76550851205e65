import { relative, resolve } from "node:path";
import { z } from "zod";
import { entryFolders } from "../cache/layout.ts";
import { contentDigest, readMarker } from "../cache/marker.ts";
import { chooseRecipe, recipeOf } from "../cache/recipe.ts";
import type { Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import type { FoldedClip, Refused, Source } from "../records.ts";
import { defineStage } from "./define.ts";

const labelSchema = z.object({ valence: z.number(), arousal: z.number() });
const clipSchema: z.ZodType<FoldedClip> = z.object({
  id: z.string(),
  group: z.string(),
  fold: z.int().nonnegative(),
  folds: z.int().positive(),
  part: z.enum(["training", "validation", "test"]),
  digest: z.string(),
  labelled: z.int().nonnegative(),
});

/** The start of every cheap pipeline: cached latents, in the order and with the rows that they were stored with. */
export default defineStage({
  name: "read-latents",
  summary: "a cache folder → latent*, each entry verified before it is read",
  version: 1,
  takes: "none",
  gives: "latent",
  options: z.strictObject({
    input: z.string().min(1).default("data/cache/latents").describe("folder that holds cached latents"),
    recipe: z
      .string()
      .regex(/^[0-9a-f]{4,16}$/, "is the first 4 to 16 hex digits of a recipe")
      .optional()
      .describe("where the folder holds latents made in several ways, which way, by its first hex digits"),
    fold: z
      .int()
      .nonnegative()
      .optional()
      .describe("of latents of labelled faces: those that this fold's model made, counted from 0"),
  }),
  runtime: ["input"],
  async *sources({ input, recipe, fold }, { signal }) {
    const root = resolve(input);
    const folders = await entryFolders(root);
    if (folders.length === 0)
      throw new PipeError(`There are no cached latents in ${input}.`, {
        hint: "Make some: pipe run extract-latents --output DIR; or name their folder: --set read-latents.input=DIR",
      });
    const refused: Refused[] = [];
    const found: { source: Source; recipe: string; parts: Json }[] = [];
    for (const folder of folders) {
      signal.throwIfAborted();
      const marker = await readMarker(folder);
      const name = relative(root, folder) || ".";
      if ("problem" in marker) refused.push({ path: folder, name, refused: marker.problem });
      else {
        const bytes = marker.files.reduce((sum, file) => sum + file.bytes, 0);
        const clip = clipSchema.safeParse(marker.facts.clip).data;
        if (fold !== undefined && clip?.fold !== fold) continue;
        const { name } = marker.source;
        const source = { path: folder, name, bytes, digest: contentDigest(marker), ...(clip && { clip }) };
        found.push({ source, recipe: recipeOf(marker.keyParts), parts: marker.keyParts });
      }
    }
    const folds = [...new Set(found.map(({ source }) => source.clip?.fold))].sort();
    if (fold !== undefined && found.length === 0)
      throw new PipeError(`There are no cached latents of fold ${fold} in ${input}.`, {
        hint: `Make some: pipe run extract-faces --fold ${fold} --output ${input}`,
      });
    if (folds.length > 1 && recipe === undefined)
      throw new PipeError(
        `${input} holds latents of several folds, each by its own model, which do not go together: ${folds.map((one) => one ?? "none").join(", ")}.`,
        { hint: "Choose one: --set read-latents.fold=0" },
      );
    const chosen = chooseRecipe(
      found.map(({ recipe, parts }) => ({ recipe, parts })),
      recipe,
    );
    const sources = found.filter((one) => one.recipe === chosen).map(({ source }) => source);
    yield* sources.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    yield* refused;
  },
  run: (_options, context) =>
    async function* () {
      const { ledger, signal, source, facts } = context;
      const { openEntry } = await import("../cache/entry.ts");
      using entry = await openEntry(source.path);
      Object.assign(facts, entry.marker.facts);
      const seen = new Set<number>();
      for await (const { z: position, labels, ...row } of entry.rows()) {
        signal.throwIfAborted();
        if (seen.has(row.index)) ledger.add("extra");
        else for (const name of ["demuxed", "decoded", "sampled"] as const) ledger.add(name);
        seen.add(row.index);
        const z = position === null ? null : new Float32Array(entry.size);
        if (z !== null) entry.readZ(position!, 1, z);
        const label = labelSchema.safeParse(labels).data;
        yield { kind: "latent", ...row, ...(label && { label }), z, shape: entry.shape };
      }
      context.verdict(entry.marker.verdict, entry.marker.detail);
    },
});
