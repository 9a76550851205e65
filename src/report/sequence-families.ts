import type { Role } from "./experiment.ts";

/** What every model of `train-seq` is called in tables. */
export const FAMILIES: Readonly<Record<string, { readonly family: string; readonly role: Role }>> = {
  "anclaf-s": { family: "ANCLaF-S", role: "model" },
  "anclaf-sa": { family: "ANCLaF-SA", role: "model" },
  uniform: { family: "ANCLaF-SA, even weights", role: "control" },
  longer: { family: "ANCLaF-S, trained longer", role: "control" },
  shuffled: { family: "ANCLaF-SA, frames shuffled", role: "control" },
  frame: { family: "Frame combiner, same input", role: "control" },
};
