import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import type { CurvePoint, Experiment, Face, Fact, Trace, TrainingCurve } from "./experiment.ts";
import { frameInterval } from "./frame-interval.ts";
import { scoresBySeen } from "./frames-seen.ts";
import { FAMILIES } from "./sequence-families.ts";
import { firstSeeds, type SequenceRun } from "./sequence-runs.ts";
import {
  differingFrames,
  missingRuns,
  modelsOf,
  type SequenceTablesOptions,
  sequenceGains,
} from "./sequence-tables.ts";
import { LABELS_MOVE, type Movement, sequenceCorrelations, sequenceTraces } from "./sequence-traces.ts";

export interface SequenceExperimentOptions extends SequenceTablesOptions {
  /** What moves besides the labels. */
  readonly movements: readonly Movement[];
  /** Pictures of a trace's frames; null where there are none. */
  readonly faces: ((trace: Trace) => Promise<readonly Face[]>) | null;
}

/**
 * All that a report shows of trainings of sequence models, over all folds, lengths and seeds. What is drawn of single clips is
 * of the first seed.
 */
export async function sequenceExperiment(options: SequenceExperimentOptions): Promise<Experiment> {
  const { runs, frames, paper, metrics, drawn, movements, faces } = options;
  const [first] = runs as [SequenceRun];
  const models = modelsOf(options);
  const traces = await sequenceTraces(runs, frames);
  const dataset = { synth: "drawn faces", "afew-va": "AFEW-VA", sewa: "SEWA" }[first.dataset] ?? first.dataset;
  const { valence, arousal } = first.range;
  return {
    title: `ANCLaF-S and ANCLaF-SA on ${drawn ? "drawn faces" : dataset}`,
    dataset: drawn && first.dataset !== "synth" ? `Drawn faces, in the layout of ${dataset}` : capital(dataset),
    synthetic: drawn ? DRAWN : null,
    range: [Math.min(valence[0], arousal[0]), Math.max(valence[1], arousal[1])],
    metrics,
    facts: factsOf(runs),
    notes: notesOf(options),
    models,
    paper,
    gains: sequenceGains(models),
    bySeen: scoresBySeen(options),
    traces: await Promise.all(traces.map(async (trace) => ({ ...trace, faces: faces ? await faces(trace) : [] }))),
    correlations: await sequenceCorrelations(firstSeeds(runs), [...LABELS_MOVE, ...movements]),
    curves: await Promise.all(runs.filter(({ model }) => FAMILIES[model]).map(curveOf)),
  };
}

const DRAWN =
  "Faces, clips and labels were drawn by a program from seeds. What is seen here says whether the method works as it is " +
  "built, not how well it does on real people.";

const capital = (text: string) => `${text[0]?.toUpperCase() ?? ""}${text.slice(1)}`;

function factsOf(runs: readonly SequenceRun[]): Fact[] {
  const [first] = runs as [SequenceRun];
  const rising = (of: (run: SequenceRun) => number) => [...new Set(runs.map(of))].sort((a, b) => a - b);
  const interval = frameInterval(first.steps);
  const lengths = rising(({ n }) => n).map((n) =>
    interval === null ? `${n}` : `${n} (${Math.round(n * interval)} ms)`,
  );
  const seeds = rising(({ seed }) => seed);
  const { input, preset } = first.result.facts;
  return [
    { name: "Tested on", text: testedOn(runs) },
    { name: "Folds", text: `${rising(({ fold }) => fold).join(", ")} of 0 to ${first.folds - 1}, by person` },
    { name: "Windows", text: `${lengths.join(", ")} frames; every face is scored once for each n` },
    { name: "Input", text: `${INPUTS[String(input)] ?? input}; preset ${preset}` },
    {
      name: "Iterations",
      text: `${rising(({ result }) => Number(result.facts.iterations)).join(" or ")} for each training`,
    },
    { name: "Seeds", text: seeds.join(", ") },
    { name: "Checkpoints", text: "the highest COR + CCC + ICC on the fold's validation people" },
    { name: "Commands", text: commandsOf(runs) },
    { name: "More", text: "result.json in each training's folder names all that it was made from" },
  ];
}

/** What trained each seed, into a folder of its own where there are several. */
function commandsOf(runs: readonly SequenceRun[]): string {
  const command = `pipe run train-seq${choicesOf(runs)}`;
  const inputs = [...new Set(runs.map(({ input }) => input))].sort();
  const alone = inputs.length === 1;
  const trainings = inputs.flatMap((input) => {
    const seeds = new Set(runs.filter((run) => run.input === input).map(({ seed }) => seed));
    const output = alone ? "" : ` --output ${basename(input)}`;
    return [...seeds].sort((a, b) => a - b).map((seed) => `${command} --seed ${seed}${output}`);
  });
  const report = `pipe run report-seq${alone ? "" : ` --input ${inputs.map((input) => basename(input)).join(" ")}`}`;
  return [...trainings, report].join("\n");
}

/** Options of `train-seq` that these trainings tell of. */
function choicesOf(runs: readonly SequenceRun[]): string {
  const [{ fold }] = runs as [SequenceRun];
  const folds = runs.some((run) => run.fold !== fold) ? "all" : fold;
  const attending = new Set(runs.flatMap(({ model, n }) => (model === "anclaf-sa" ? [n] : [])));
  const controls = runs.some(({ model }) => FAMILIES[model]?.role === "control");
  return [
    ` --n ${Math.max(...runs.map(({ n }) => n))} --fold ${folds}`,
    attending.size === 0 ? " --model anclaf-s" : "",
    attending.size > 1 ? " --tables" : "",
    controls ? " --controls" : "",
  ].join("");
}

const INPUTS: Readonly<Record<string, string>> = {
  latents: "latents ZQ of frozen networks; the whole combiner is trained",
  features:
    "features of the frame model's frozen encoder; what comes behind it is trained (the papers train all of it)",
};

/** What a reader must know before believing a figure. */
function notesOf({ runs, frames, drawn }: SequenceExperimentOptions): string[] {
  const [first] = runs as [SequenceRun];
  const folds = new Set(runs.map(({ fold }) => fold)).size;
  const models = new Set(runs.map(({ model }) => model));
  const controlled = ["longer", "uniform", "shuffled"].every((control) => models.has(control));
  const known = drawn || ["afew-va", "sewa"].includes(first.dataset);
  return [
    "The people of a test set were not trained on, and not looked at to choose a checkpoint.",
    ...(known ? [] : ["Whether these videos were filmed or drawn is not known to this report."]),
    ...(folds < first.folds ? [`Only ${folds} of ${first.folds} folds are finished: means are over these.`] : []),
    ...(folds < 3 ? ["With so few runs, a difference between two models may be chance."] : []),
    ...(frames.length > 0 && frames.length < folds
      ? [`The frame model has a finished training for ${frames.length} of ${folds} folds.`]
      : []),
    ...(models.has("anclaf-sa") && !controlled
      ? [
          "ANCLaF-SA goes on from ANCLaF-S, so it has learned for longer: without the controls (train-seq --controls) a gain by " +
            "attention is not shown.",
        ]
      : []),
    ...differingFrames(runs),
    ...missingRuns(runs),
    ...(new Set(runs.map(({ seed }) => seed)).size > 1
      ? [`What is drawn over time, and attention, are of seed ${first.seed}; all else is of all seeds.`]
      : []),
    "The clip drawn over time is the longest of the first fold, and larger where its labels move most; others look otherwise.",
  ];
}

/** Of one model's trainings, over all folds. */
function testedOn(runs: readonly SequenceRun[]): string {
  const { model, n, range } = runs[0]!;
  const own = firstSeeds(runs).filter((run) => run.model === model && run.n === n);
  const clips = own.reduce((sum, { steps }) => sum + new Set(steps.map(({ clip }) => clip)).size, 0);
  const faces = own.reduce((sum, { steps }) => sum + steps.length, 0);
  return `${faces} faces of ${clips} clips; valence from ${range.valence.join(" to ")}, arousal from ${range.arousal.join(" to ")}`;
}

const numbers = z.record(z.string(), z.number().nullable());
const lineSchema = z.object({ iteration: z.number(), losses: numbers.optional(), validation: numbers.optional() });

/** Total loss and validation score from a training's `log.jsonl`; what JSON could not write (NaN) is a gap. */
async function curveOf({ folder, model, n, fold, seed, best }: SequenceRun): Promise<TrainingCurve> {
  const text = await readFile(join(folder, "log.jsonl"), "utf8");
  const lines = text
    .split("\n")
    .flatMap((line) => (line === "" ? [] : (lineSchema.safeParse(JSON.parse(line)).data ?? [])));
  const points = (of: (line: z.output<typeof lineSchema>) => number | null | undefined): CurvePoint[] =>
    lines.flatMap((line) => {
      const value = of(line);
      return value === undefined ? [] : [{ iteration: line.iteration, value: value ?? Number.NaN }];
    });
  return {
    ...{ family: FAMILIES[model]!.family, n, fold, seed, best },
    lossName: "weighted sum of RMSE, 1 − COR, 1 − CCC and 1 − ICC",
    validationName: "COR + CCC + ICC",
    loss: points(({ losses = {} }) => losses[Object.keys(losses).find((name) => /(^|\/)total$/.test(name)) ?? ""]),
    validation: points(({ validation }) => validation?.score),
  };
}
