import { canonical, digestOf, type Json } from "../digest.ts";
import { PipeError } from "../errors.ts";

/**
 * How an entry's latents were made, whatever video they were made from: 16 hex digits of the sha256 of the steps in its
 * key parts, less what is of one video alone, such as its label file. Latents of two recipes must not be mixed in one
 * training.
 */
export function recipeOf(keyParts: Json): string {
  return recipeDigest(keyParts).slice(0, 16);
}

/** The whole sha256 (hex) of a recipe, for the key of what is made of its latents: a label edited changes no recipe. */
export function recipeDigest(keyParts: Json): string {
  return digestOf(stepsOf(keyParts));
}

/**
 * The one recipe among entries, or the one that begins with `wanted`.
 *
 * @throws PipeError that lists the recipes and the fields in which they differ, unless exactly one is meant
 */
export function chooseRecipe(
  entries: readonly { recipe: string; parts: Json }[],
  wanted: string | undefined,
): string | undefined {
  const recipes = new Map(entries.map(({ recipe, parts }) => [recipe, parts]));
  const meant = [...recipes.keys()].filter((recipe) => recipe.startsWith(wanted ?? ""));
  if (meant.length === 1 || recipes.size === 0) return meant[0];
  const list = describe(recipes, entries).join("\n");
  if (wanted === undefined)
    throw new PipeError(`The folder holds latents made in ${recipes.size} ways, which do not go together.`, {
      hint: `Choose one: --set read-latents.recipe=…\n${list}`,
    });
  throw new PipeError(
    `${meant.length === 0 ? "No" : "More than one"} recipe of cached latents begins with ${wanted}.`,
    {
      hint: `There are:\n${list}`,
    },
  );
}

/**
 * The fields in which the making of two entries differs, e.g. "crop-faces.margin: 0.25 → 0.3"; none when one recipe made
 * both.
 */
export function recipeDifference(before: Json, now: Json): string[] {
  const [was, is] = [before, now].map((parts) => flatten("", stepsOf(parts)));
  return [...new Set([...was!.keys(), ...is!.keys()])]
    .filter((name) => was!.get(name) !== is!.get(name))
    .map((name) => `${name}: ${short(was!.get(name))} → ${short(is!.get(name))}`);
}

function short(value: string | undefined): string {
  return value === undefined ? "unset" : value.replace(/[0-9a-f]{64}/g, (digest) => `${digest.slice(0, 12)}…`);
}

/** A line a recipe: its digits, how many entries it has, and the options that are not the same in all. */
function describe(recipes: ReadonlyMap<string, Json>, entries: readonly { recipe: string }[]): string[] {
  const fields = new Map([...recipes].map(([recipe, parts]) => [recipe, flatten("", stepsOf(parts))]));
  const names = new Set([...fields.values()].flatMap((one) => [...one.keys()]));
  const differing = [...names].filter((name) => new Set([...fields.values()].map((one) => one.get(name))).size > 1);
  return [...fields].map(([recipe, one]) => {
    const count = entries.filter((entry) => entry.recipe === recipe).length;
    const values = differing.map((name) => `${name}=${one.get(name) ?? "unset"}`);
    return `${recipe} (${count} ${count === 1 ? "entry" : "entries"}): ${values.join(", ")}`;
  });
}

/** Nested values by dotted name; steps by their stage's name. */
function flatten(path: string, value: Json | undefined): Map<string, string> {
  if (value === null || typeof value !== "object") return new Map([[path, canonical(value ?? null)]]);
  const members = Array.isArray(value)
    ? value.map((one: Json, i): [string, Json] => [nameOf(one) ?? String(i), one])
    : Object.entries(value);
  return new Map(
    members.flatMap(([name, member]) => [...flatten(path === "" ? name : `${path}.${name}`, member as Json)]),
  );
}

function nameOf(step: Json): string | undefined {
  const stage = step !== null && typeof step === "object" && "stage" in step ? step.stage : undefined;
  return typeof stage === "string" ? stage : undefined;
}

/** The part of the key parts that does not speak of the source, nor of files beside it. */
function stepsOf(keyParts: Json): Json {
  if (keyParts === null || typeof keyParts !== "object" || !("steps" in keyParts)) return keyParts;
  const steps = keyParts.steps!;
  return Array.isArray(steps) ? steps.map(withoutFiles) : steps;
}

function withoutFiles(step: Json): Json {
  if (step === null || typeof step !== "object" || Array.isArray(step)) return step;
  const { files: _, ...rest } = step as { readonly [key: string]: Json | undefined };
  return rest;
}
