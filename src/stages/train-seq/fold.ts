import { basename, join } from "node:path";
import { digestOf, type Json } from "../../digest.ts";
import { PipeError } from "../../errors.ts";
import { type Rung, SEQUENCE_MODELS } from "../../systems/anclaf/curriculum.ts";
import type { FrameModel } from "../frame-model.ts";
import { contentsOf } from "./contents.ts";
import { asJson, rangeIn } from "./label-facts.ts";
import { settingsIn, VERSION } from "./options.ts";
import { type Finished, placeOf, trainOne, type Work } from "./rung.ts";

/** All trainings of a fold, one after the other; those that are finished are not done again. */
export async function trainFold(work: Work, rungs: readonly Rung[]): Promise<readonly Finished[]> {
  const { openWindowReader } = await import("../../cache/window-reader.ts");
  const { windowLabels } = await import("../../datasets/window-labels.ts");
  const { readResult } = await import("../../report/training-result.ts");
  const { windowsDigest } = await import("../../systems/anclaf/window-parts.ts");
  const { folder, set, context } = work;
  const range = rangeIn(context.facts);
  const labels = windowLabels(set.byLength.get(rungs[0]!.n)!.training, range);
  const { digests, maker } = await contentsOf(set.folders);
  const frame = await encoderStart(work);
  await using reader = await openWindowReader();
  const total = rungs.reduce((sum, { steps }) => sum + steps, 0);
  const finished = new Map<string, Finished>();
  let done = 0;
  for (const rung of rungs) {
    context.drain.throwIfAborted();
    const windows = set.byLength.get(rung.n)!;
    const data = { split: set.fold.digest, windows: windowsDigest(windows, (folder) => digests.get(folder)!) };
    const from = rung.from === null ? null : finished.get(rung.from)!;
    const start = from ? { from: from.result.key } : { frame: frame?.digest ?? null };
    const keyParts = identityOf(rung, work, { data, range: asJson(range), ...start });
    const own = join(folder, rung.name);
    const known = await readResult(own);
    if (known?.key !== digestOf(keyParts)) {
      // A shard that is missing or damaged is told before the first epoch, not in the middle of one.
      await reader.check(set.folders);
      const before = done;
      const standing = (iteration: number, words: string) =>
        context.standing((before + iteration) / total, `${rung.name}  ${words}`);
      await trainOne(work, {
        rung,
        folder: own,
        from,
        frame: frame?.path ?? null,
        maker,
        keyParts,
        windows,
        data,
        range,
        labels,
        reader,
        standing,
      });
    }
    finished.set(rung.name, { folder: own, result: (await readResult(own))! });
    done += rung.steps;
  }
  return [...finished.values()];
}

/** The frame model that the first training takes its encoder from, if it does. */
async function encoderStart({ set, options, context }: Work): Promise<FrameModel | null> {
  const { sequenceInput } = await import("../../systems/anclaf/sequence-input.ts");
  const { stage2Settings } = await import("../../systems/anclaf/stage2.ts");
  const { kind, preset } = sequenceInput(set.shape);
  if (kind === "features" || stage2Settings(preset, settingsIn(options)).encoder === "fresh") return null;
  const { frameModel } = await import("../frame-model.ts");
  // All entries were made alike, as `contentsOf` saw to.
  return frameModel({ ...options, preset }, set.folders[0]!, context.source.name).catch((error: unknown) => {
    if (!(error instanceof PipeError)) throw error;
    throw new PipeError(error.message, {
      hint: `${error.hint ?? ""}; or begin with fresh weights: --encoder fresh`,
      cause: error,
    });
  });
}

/** All that decides the bytes of one training: the data, its options, and the training that it starts from. */
function identityOf(rung: Rung, { options }: Work, data: Record<string, Json>): Json {
  const { attention, seed, validateEvery, patience = null } = options;
  return {
    version: VERSION,
    rung: { ...rung },
    ...data,
    options: { attention, seed, validateEvery, patience, ...settingsIn(options) },
  };
}

/** Says, last of all, that every training of the fold is finished. */
export async function publishFold({ folder, set, context }: Work, finished: readonly Finished[]): Promise<void> {
  const { RESULT_FILE, writeResult } = await import("../../report/training-result.ts");
  // Controls come after the model that was asked for.
  const { metrics, facts } = finished.findLast(({ result }) =>
    SEQUENCE_MODELS.some((model) => model === result.facts.model),
  )!.result;
  Object.assign(context.facts, { model: `${facts.model}-${facts.n}`, metrics, trainMean: facts.trainMean });
  await writeResult(
    folder,
    {
      key: context.key,
      keyParts: context.keyParts,
      ...placeOf(context, set),
      metrics,
      facts: { ...context.facts, trainings: finished.map(({ folder }) => basename(folder)) },
    },
    finished.map(({ folder }) => `${basename(folder)}/${RESULT_FILE}`),
  );
}
