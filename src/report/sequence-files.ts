import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import { TextFile } from "../cache/text-file.ts";
import { PipeError, reasonOf } from "../errors.ts";
import { PREDICTIONS_FILE } from "./training-result.ts";

/** What a sequence model said of one face of a test clip, native units. */
export interface PredictedStep {
  readonly clip: string;
  readonly track: number;
  readonly frame: number;
  /** Microseconds. */
  readonly pts: number;
  /** Faces of its window that the model had been shown when it said this, this one included; ≥ 1. */
  readonly seen: number;
  /** NaN where the frame has no label. */
  readonly valence: number;
  readonly arousal: number;
  readonly predictedValence: number;
  readonly predictedArousal: number;
}

const COLUMNS = {
  clip: "clip",
  track: "track",
  frame: "frame",
  pts: "pts",
  seen: "seen",
  valence: "valence",
  arousal: "arousal",
  predictedValence: "predicted_valence",
  predictedArousal: "predicted_arousal",
} as const satisfies Record<keyof PredictedStep, string>;

/** Writes `predictions.csv`, one line a face; a label that is not known is an empty cell. */
export async function writeStepPredictions(folder: string, steps: Iterable<PredictedStep>): Promise<void> {
  await using file = await TextFile.open(join(folder, PREDICTIONS_FILE));
  await file.write(`${Object.values(COLUMNS).join(",")}\n`);
  const number = (value: number) => (Number.isNaN(value) ? "" : String(value));
  for (const step of steps) await file.write(stringify([step], { columns: Object.keys(COLUMNS), cast: { number } }));
  await file.publish();
}

/** Throws a PipeError when the file cannot be read or is not one that this `writeStepPredictions` wrote. */
export async function readStepPredictions(folder: string): Promise<PredictedStep[]> {
  const path = join(folder, PREDICTIONS_FILE);
  try {
    const text = await readFile(path, "utf8");
    if (!text.slice(0, text.indexOf("\n")).split(",").includes(COLUMNS.seen)) throw withoutSeen(folder);
    const rows = parse(text, { columns: true }) as Record<string, string>[];
    return rows.map((row): PredictedStep => {
      const number = (field: Exclude<keyof PredictedStep, "clip">, unknown = false) => {
        const cell = row[COLUMNS[field]];
        if (unknown && cell === "") return Number.NaN;
        const value = Number(cell);
        if (cell === undefined || cell === "" || !Number.isFinite(value))
          throw new PipeError(`${COLUMNS[field]} is ${JSON.stringify(cell ?? null)}`);
        return value;
      };
      return {
        clip: row.clip ?? "",
        track: number("track"),
        frame: number("frame"),
        pts: number("pts"),
        seen: number("seen"),
        valence: number("valence", true),
        arousal: number("arousal", true),
        predictedValence: number("predictedValence"),
        predictedArousal: number("predictedArousal"),
      };
    });
  } catch (error) {
    throw new PipeError(`${path}: the predictions cannot be read: ${reasonOf(error)}.`, { cause: error });
  }
}

/** Trainings of before that column was there say all the rest, and need only be tested again. */
function withoutSeen(folder: string): PipeError {
  const results = join(dirname(dirname(folder)), "fold-*", "*", "result.json");
  return new PipeError(`They have no column ${JSON.stringify(COLUMNS.seen)}: an older version wrote them.`, {
    hint: `Delete ${results} and give the command that trained them again: what is trained is then only tested again`,
  });
}

export const ATTENTION_FILE = "attention.csv";

/** What one step of a test window attended to. */
export interface AttentionStep {
  readonly clip: string;
  readonly track: number;
  /** Number of the frame; −1 where it cannot be told. */
  readonly frame: number;
  /** Position in the window, from 0. Each window's lines stand together and begin with step 0. */
  readonly step: number;
  /** Whether the step is scored in this window; the others are its history. */
  readonly scored: boolean;
  /** Weights of steps 0 to `step − 1`, which sum to 1; 0 for missing ones. */
  readonly weights: ArrayLike<number>;
}

/**
 * Writes `attention.csv`: clip, track, frame, step, scored, and the lower triangle of each window's weights, `w0` … of the
 * n − 1 steps that can be attended to; cells on and above the diagonal are empty.
 */
export async function writeAttention(folder: string, n: number, steps: Iterable<AttentionStep>): Promise<void> {
  await using file = await TextFile.open(join(folder, ATTENTION_FILE));
  const head = ["clip", "track", "frame", "step", "scored", ...Array.from({ length: n - 1 }, (_, i) => `w${i}`)];
  await file.write(`${head.join(",")}\n`);
  for (const { clip, track, frame, step, scored, weights } of steps) {
    const cells = Array.from({ length: n - 1 }, (_, i) => (i < step ? String(Number(weights[i]!.toPrecision(6))) : ""));
    await file.write(stringify([[clip, track, frame, step, Number(scored), ...cells]]));
  }
  await file.publish();
}

/** Throws a PipeError when the file cannot be read or is not one that `writeAttention` wrote. */
export async function readAttention(folder: string): Promise<AttentionStep[]> {
  const path = join(folder, ATTENTION_FILE);
  try {
    const [head, ...rows] = parse(await readFile(path, "utf8")) as string[][];
    if (head?.slice(0, 5).join() !== "clip,track,frame,step,scored") throw new PipeError("its columns are other ones");
    return rows.map(([clip, track, frame, step, scored, ...cells]): AttentionStep => {
      const weights = Float64Array.from(cells.slice(0, Number(step)), Number);
      if (!weights.every(Number.isFinite) || weights.length !== Number(step))
        throw new PipeError(`step ${step} of frame ${frame} of ${clip} has ${cells.join(", ")} as weights`);
      return {
        clip: clip!,
        track: Number(track),
        frame: Number(frame),
        step: Number(step),
        scored: scored === "1",
        weights,
      };
    });
  } catch (error) {
    throw new PipeError(`${path}: the attention cannot be read: ${reasonOf(error)}.`, { cause: error });
  }
}
