import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Engine } from "../compile/index.ts";

/** How a vision network is executed. */
export interface RunOptions {
  readonly engine?: Engine;
  /** Intra-op threads; default: the machine's cores. */
  readonly threads?: number;
}

/** TensorFlow.js GraphModels that come inside the package @vladmandic/human. */
export type Bundled = "blazeface" | "centernet" | "facemesh";

/** Absolute path of a bundled network's model.json; its weights lie beside it. */
export function bundled(name: Bundled): string {
  const entry = createRequire(import.meta.url).resolve("@vladmandic/human");
  return join(dirname(dirname(entry)), "models", `${name}.json`);
}

/** sha256 over model.json and its weight files: what `loadGraphModel` gives as `digest`, without opening the model. */
export async function bundledDigest(name: Bundled): Promise<string> {
  const path = bundled(name);
  const hash = createHash("sha256");
  const json = await readFile(path);
  hash.update(json);
  const { weightsManifest } = JSON.parse(json.toString("utf8")) as { weightsManifest: { paths: string[] }[] };
  for (const file of weightsManifest.flatMap(({ paths }) => paths))
    hash.update(await readFile(join(dirname(path), file)));
  return hash.digest("hex");
}

/** The options of compile() without undefined members. */
export function runOptions({ engine, threads }: RunOptions): RunOptions {
  return { ...(engine !== undefined && { engine }), ...(threads !== undefined && { threads }) };
}
