import { readAfewVa } from "./afew-va.ts";
import type { DatasetName } from "./names.ts";
import { readSewa } from "./sewa.ts";
import type { Channel } from "./sewa-files.ts";
import { readOracle } from "./synth/oracle-file.ts";
import type { Dataset } from "./types.ts";

export interface ReadOptions {
  /** SEWA: what the annotators had: sound, picture or both. Default AV. */
  readonly annotation?: Channel;
  readonly signal?: AbortSignal;
}

/** Reads a dataset's labels. Throws a PipeError where the folder holds no such dataset, or a broken one. */
export async function readDataset(name: DatasetName, folder: string, options: ReadOptions = {}): Promise<Dataset> {
  const drawn = name === "synth" ? await readOracle(folder) : undefined;
  const { annotation: _, ...others } = options;
  const dataset =
    (drawn?.layout ?? name) === "sewa"
      ? // Drawn videos may have another rate than SEWA's 50 labels a second.
        await readSewa(folder, { ...options, ...(drawn && { rate: drawn.rate }) })
      : await readAfewVa(folder, others);
  return { ...dataset, name };
}
