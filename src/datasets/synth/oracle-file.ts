import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { PipeError, reasonOf } from "../../errors.ts";
import { RATES } from "./affect-tracks.ts";

/** File of a synthesised dataset with its recipe and with what the best predictors reach on it. */
export const ORACLE_FILE = "oracle.json";

/** Whose layouts can be synthesised. */
export const LAYOUTS = ["afew-va", "sewa"] as const;
export type LayoutName = (typeof LAYOUTS)[number];

const recipe = {
  version: z.int(),
  layout: z.enum(LAYOUTS),
  clips: z.int().positive(),
  frames: z.int().positive(),
  actors: z.int().positive(),
  seed: z.string(),
  rate: z.literal(RATES),
};
const expected = { rmse: z.number(), ccc: z.number(), cor: z.number() };
const scores = z.strictObject({ ...expected, frames: z.int() });
const row = z.strictObject({
  n: z.int().positive(),
  milliseconds: z.number(),
  expected: z.strictObject(expected),
  sliding: scores,
  chunks: scores,
});
const size = z.number();
const model = z.strictObject({
  ...{
    mood: size,
    swing: size,
    pace: size,
    lag: size,
    rest: size,
    mask: size,
    rhythm: size,
    hertz: size,
    fading: size,
  },
  tremor: z.strictObject({ level: size, carrier: size }),
});

const schema = z.strictObject({
  ...recipe,
  model: z.strictObject({ valence: model, arousal: model }),
  /** One row a window size; the first, n = 1, is the frame oracle. Labels in −1..1. */
  oracle: z.strictObject({ valence: z.array(row).readonly(), arousal: z.array(row).readonly() }),
});

const recipeSchema = z.strictObject(recipe);

/** What decides a synthesised dataset's bytes. */
export type Recipe = Readonly<z.infer<typeof recipeSchema>>;
export type OracleFile = Readonly<z.infer<typeof schema>>;

/** What the best predictors reach on a synthesised dataset. Throws a PipeError where the folder is none. */
export async function readOracle(folder: string): Promise<OracleFile> {
  const file = join(folder, ORACLE_FILE);
  try {
    return schema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    throw new PipeError(`${file} does not tell what the best predictors reach: ${reasonOf(error)}`, {
      hint: "Only datasets that `pipe synth faces` wrote have this file.",
      cause: error,
    });
  }
}
