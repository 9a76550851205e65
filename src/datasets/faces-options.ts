import { z } from "zod";
import type { FoldsAsked } from "../records.ts";
import { DATASETS } from "./names.ts";
import { CHANNELS } from "./sewa-files.ts";

/** Options of every stage that begins with labelled faces: equal ones name the same folds of the same faces. */
export const facesOptions = {
  dataset: z.enum(DATASETS).default("synth").describe("whose layout the data has; synth: faces that are drawn"),
  data: z.string().min(1).optional().describe("the dataset's folder; default: data/datasets/NAME"),
  annotation: z.enum(CHANNELS).default("AV").describe("SEWA: what its annotators had, sound, picture or both"),
  folds: z.int().min(3).default(5).describe("how many folds, balanced by frames"),
  fold: z
    .string()
    .regex(/^(all|\d+)$/)
    .default("all")
    .describe("which fold is the test set, counted from 0; or all, one after the other"),
  seed: z.int().nonnegative().default(1).describe("decides who goes into which fold"),
  store: z.string().min(1).default("data/cache/faces").describe("folder that keeps the faces that were cut out"),
  side: z.int().min(16).max(1024).default(128).describe("width and height of a face, pixels"),
};
export type FacesOptions = z.output<z.ZodObject<typeof facesOptions>>;

/** The folds that the options ask for, as far as there can be such folds. */
export function foldsAsked({ fold, folds, dataset, seed }: FacesOptions): FoldsAsked {
  const all = Array.from({ length: folds }, (_, i) => i);
  return {
    folds: fold === "all" ? all : all.filter((each) => each === Number(fold)),
    split: { dataset, folds, seed },
  };
}

/** Of those, the ones that cannot change what is made of a fold. */
export const FACES_RUNTIME = ["data", "store", "fold"] as const;
