import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import type { Marker } from "./marker.ts";
import { Memo } from "./memo.ts";
import { originOf } from "./origin.ts";
import { recipeOf } from "./recipe.ts";

/** A run came by a source with labels: where it lay, and which entry it had. */
export interface Sighting {
  /** Absolute path: of the video, or of the entry that was read. */
  readonly path: string;
  /** Key of the entry. */
  readonly key: string;
}

/**
 * Notes that a run has made, or found, the entry of a labelled source that lies at `path`. Labels change and nothing is
 * deleted: this tells the entries of one video apart, which a marker cannot, since it holds neither path nor clock.
 * Nothing is written for entries without a label file, nor while nothing has changed. Kept in `<output>/.labelled.jsonl`.
 */
export async function noteSighting(output: string, made: Made, path: string): Promise<void> {
  if (originOf(made).labels === null) return;
  const memo = notebook(resolve(output));
  const name = nameOf(made);
  const before = parse(await memo.get(name, PRINT));
  const known = before.find((one) => one.path === path);
  if (known?.key === made.key && before.at(-1)!.key === made.key) return;
  const now = [...before.filter((one) => one.path !== path), { path, key: made.key }];
  await memo.set(name, PRINT, JSON.stringify(now.slice(-MOST)));
}

/** Where the source of an entry was seen, with the entry that it then had: what was seen last comes last. */
export async function sightingsOf(folder: string, made: Made): Promise<readonly Sighting[]> {
  const output = dirname(dirname(resolve(folder)));
  return parse(await notebook(output).get(nameOf(made), PRINT));
}

type Made = Pick<Marker, "key" | "keyParts" | "source" | "facts">;

const schema = z.array(z.object({ path: z.string(), key: z.string() }));
/** Copies of one video that are remembered. */
const MOST = 8;
/** Nothing that could be out of date. */
const PRINT = "";

function parse(text: string | undefined): Sighting[] {
  try {
    return schema.parse(JSON.parse(text ?? "[]"));
  } catch {
    return [];
  }
}

const nameOf = (made: Made): string => `${originOf(made).digest}/${recipeOf(made.keyParts)}`;

const memos = new Map<string, Memo>();

function notebook(output: string): Memo {
  const memo = memos.get(output) ?? new Memo(join(output, ".labelled.jsonl"));
  memos.set(output, memo);
  return memo;
}
