import { z } from "zod";
import type { LabelRange } from "../../datasets/types.ts";
import type { Json } from "../../digest.ts";
import { PipeError } from "../../errors.ts";
import type { Context } from "../define.ts";

const interval = z.tuple([z.number(), z.number()]).refine(([low, high]) => low < high);
const rangeSchema = z.object({ valence: interval, arousal: interval });

/** The labels' range as the latents' facts tell it. Throws a PipeError where they do not. */
export function rangeIn({ range, labels }: Context["facts"]): LabelRange {
  const found = rangeSchema.safeParse(range).data ?? rangeSchema.safeParse(labels).data;
  if (found) return found;
  throw new PipeError("The latents do not say which values their labels may take, and labels are scaled by that.", {
    hint: "Make them again with this version: pipe run extract-faces; or give the label files a range.",
  });
}

/** What the labels are of, in words. */
export function datasetIn({ labels }: Context["facts"]): string {
  return z.object({ dataset: z.string() }).safeParse(labels).data?.dataset ?? "labelled videos";
}

export const asJson = ({ valence, arousal }: LabelRange): Json => ({ valence: [...valence], arousal: [...arousal] });
