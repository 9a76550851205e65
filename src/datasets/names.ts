/** Labelled datasets that can be read; `synth` is one that this project drew, in the layout of one of the others. */
export const DATASETS = ["afew-va", "sewa", "synth"] as const;
export type DatasetName = (typeof DATASETS)[number];
