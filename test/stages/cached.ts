import { digestOf, type Json } from "../../src/digest.ts";
import type { AnyRecord, Artifact, Latent, Source } from "../../src/records.ts";
import { type LooseContext, looseContext } from "../../src/stages/context.ts";

export const SOURCE: Source = {
  path: "/nowhere/clip one.mp4",
  name: "clip one.mp4",
  bytes: 9,
  digest: digestOf("clip"),
};

/** Key parts as the runner makes them, of a pipeline with one option. */
export function parts(seed: number, source = SOURCE.digest): Json {
  return { source, steps: [{ stage: "encode-latents", version: 1, options: { seed }, models: {} }] };
}

/** A context of one task, with a key made from its parts. */
export function task(seed = 1, source = SOURCE, signal?: AbortSignal): LooseContext {
  const keyParts = parts(seed, source.digest);
  return looseContext({ source, key: digestOf(keyParts), keyParts, ...(signal && { signal }), note: () => {} });
}

/** Counts frames and says how it ended, as the stages before a sink do. */
export async function* counted<T extends Latent>(
  records: readonly T[],
  context: LooseContext,
  verdict: "complete" | "truncated" = "complete",
): AsyncGenerator<T> {
  let frame = -1;
  for (const record of records) {
    if (record.index === frame) context.ledger.add("extra");
    else for (const name of ["demuxed", "decoded", "sampled"] as const) context.ledger.add(name);
    frame = record.index;
    yield record;
  }
  if (verdict === "complete") context.verdict(verdict);
  else context.verdict(verdict, "ends early");
}

/** The one artifact that a sink gives. */
export async function only(artifacts: AsyncIterable<AnyRecord>): Promise<Artifact> {
  const all: AnyRecord[] = [];
  for await (const one of artifacts) all.push(one);
  if (all.length !== 1 || all[0]!.kind !== "artifact") throw new Error(`${all.length} artifacts`);
  return all[0]!;
}
