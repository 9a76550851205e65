import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { checkBalance } from "../cache/balance.ts";
import { partsByName } from "../cache/by-name.ts";
import { checkEntry } from "../cache/check.ts";
import { DTYPES } from "../cache/dtype.ts";
import { entryFolder, namesIn } from "../cache/layout.ts";
import { MARKER, readMarker } from "../cache/marker.ts";
import { noteSighting } from "../cache/sightings.ts";
import type { Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import { defineStage } from "./define.ts";
import { fromHere, nextCommand } from "./next.ts";

/** The end of every expensive pipeline: one intact entry a source and key, or none. */
export default defineStage({
  name: "cache-latents",
  summary: "latent* → one cache entry: rows and z as Arrow shards, published whole or not at all",
  version: 2,
  takes: "latent",
  gives: "artifact",
  options: z.strictObject({
    output: z.string().min(1).default("data/cache/latents").describe("folder that holds the cached latents"),
    dtype: z
      .enum(DTYPES)
      .default("float16")
      .describe("how values are kept: float32 exactly, float16 at half the size, uint8 at a quarter"),
  }),
  runtime: ["output"],
  output: ({ output }) => output,
  next({ output }, made) {
    const labelled = made.some(({ facts }) => facts.clip !== undefined || Number(facts.labelled) > 0);
    return [nextCommand(labelled ? "train-seq" : "inspect-latents", "--input", fromHere(output))];
  },
  async cached({ output }, { source, key }) {
    const folder = resolve(entryFolder(output, source.digest, key));
    const { marker, problems } = await checkEntry(folder, { trust: true });
    if (marker === undefined || problems.length > 0 || marker.key !== key) return undefined;
    await noteSighting(output, marker, source.path);
    const { counts, verdict, detail, facts, files } = marker;
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const artifact = { kind: "artifact" as const, path: folder, bytes };
    return { artifact, counts, verdict, ...(detail !== undefined && { detail }), facts };
  },
  async published({ output }, source) {
    // Any key will do to find the folder of the source.
    const folder = dirname(entryFolder(output, source.digest, source.digest));
    const found: { parts: Json; written: number }[] = [];
    for (const name of await namesIn(folder)) {
      const marker = await readMarker(join(folder, name));
      if ("problem" in marker) continue;
      found.push({ parts: marker.keyParts, written: (await stat(join(folder, name, MARKER))).mtimeMs });
    }
    if (found.length === 0) return partsByName(output, source.name);
    return found.sort((a, b) => b.written - a.written).map(({ parts }) => parts);
  },
  async stored({ output }, { source, parts, annotates }) {
    const { entryLike, latentsAgain } = await import("../cache/stored-latents.ts");
    const folder = await entryLike(output, source.digest, parts, new Set(annotates.keys()));
    if (folder === undefined) return undefined;
    return ({ facts, ledger, verdict, signal }) =>
      (async function* () {
        const latents = latentsAgain(folder, {
          begin({ facts: { warnings, ...before } }) {
            const given = [...annotates.values()].flatMap((one) => (before[one.warnings] ?? []) as string[]);
            for (const { facts: names } of annotates.values()) for (const name of names) delete before[name];
            const others = ((warnings ?? []) as string[]).filter((one) => !given.includes(one));
            Object.assign(facts, before, others.length > 0 && { warnings: others });
          },
          end(marker) {
            const { rows: _, ...counts } = marker.counts;
            for (const [name, n] of Object.entries(counts)) ledger.add(name as keyof typeof counts, n);
            verdict(marker.verdict, marker.detail);
          },
        });
        for await (const latent of latents) {
          signal.throwIfAborted();
          yield latent;
        }
      })();
  },
  run: ({ output, dtype }, context) =>
    async function* (latents) {
      const { source, key, keyParts, facts, ledger, signal } = context;
      if (key === "")
        throw new PipeError("cache-latents stores its entries under a key, and the context has none.", {
          hint: "Run it in a pipeline, or give the context a key: the sha256 of all that shapes the latents.",
        });
      const { LatentWriter } = await import("../cache/writer.ts");
      await using writer = await LatentWriter.open({ output, source, key, keyParts, facts, dtype });
      for await (const latent of latents) {
        signal.throwIfAborted();
        await writer.append(latent);
        ledger.row(latent.status);
      }
      signal.throwIfAborted();
      checkBalance(ledger);
      const { ending } = context;
      if (ending === null)
        throw new PipeError(`Nobody said whether ${source.name} was read to its end, so its latents are not stored.`, {
          hint: "The stage that reads the source must call context.verdict(…) after the last record.",
        });
      // Stages give theirs as they come by them, and equal work gives equal bytes.
      if (Array.isArray(facts.warnings)) facts.warnings = [...facts.warnings].sort();
      const artifact = await writer.publish({ ...ending, counts: ledger.counts });
      await noteSighting(output, { key, keyParts, source, facts }, source.path);
      yield artifact;
    },
});
