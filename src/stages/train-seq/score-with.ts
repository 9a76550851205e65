import { join } from "node:path";
import { MODEL_FILE } from "../../report/fold-model.ts";
import { checkpointFor } from "../../systems/anclaf/load.ts";
import { ANCLAF_PRESETS } from "../../systems/anclaf/presets.ts";
import type { Made } from "../define.ts";
import { fromHere, nextCommand } from "../next.ts";
import type { Options } from "./options.ts";

/** The command that scores videos with the model that a fold's training ended with, and with the frame model below it. */
export async function scoreWith({ model, models, checkpoint }: Options, { artifacts, facts }: Made): Promise<string> {
  const { readCheckpoint } = await import("../../nn/checkpoint.ts");
  const folder = artifacts[0]!;
  const path = join(folder, String(facts.model), MODEL_FILE);
  const { encoder, preset: written, fold } = (await readCheckpoint(path)).metadata;
  const preset = ANCLAF_PRESETS.find((one) => one === written);
  const isIt = async (file: string) => (await readCheckpoint(file).catch(() => undefined))?.digest === encoder;
  const own = preset && checkpointFor({ preset });
  const needed = encoder !== undefined && !(own !== undefined && (await isIt(own)));
  const others = [checkpoint ?? [], join(models, `fold-${fold?.split(" ")[0]}`, MODEL_FILE)].flat();
  const found = await Promise.all(others.map(async (file) => ((await isIt(file)) ? [file] : [])));
  const frame = found.flat()[0];
  return nextCommand(
    "score",
    ...["--model", model, "--checkpoint", fromHere(path)],
    ...(needed ? ["--encoder", frame === undefined ? "FRAME-MODEL.safetensors" : fromHere(frame)] : []),
    ...["--input", "VIDEOS"],
  );
}
