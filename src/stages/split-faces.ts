import { z } from "zod";
import { FACES_RUNTIME, facesOptions } from "../datasets/faces-options.ts";
import { canonical, type Json } from "../digest.ts";
import { defineStage } from "./define.ts";

/**
 * The start of training: a labelled dataset, its people parted into folds, and its faces cut out once into a store that
 * all folds share. Each fold is a source of its own, so that folds are planned, cached and reported one by one.
 */
export default defineStage({
  name: "split-faces",
  summary: "a labelled dataset → fold: faces cut out once, nobody in two parts",
  version: 2,
  takes: "none",
  gives: "fold",
  options: z.strictObject(facesOptions),
  runtime: FACES_RUNTIME,
  async *sources(options, tools) {
    const { facesFolder, foldDigest, foldsWanted, splitDataset } = await import("../datasets/prepare-faces.ts");
    const { split } = await splitDataset(options, tools);
    for (const fold of foldsWanted(split, options))
      yield {
        path: facesFolder(options),
        name: `${options.dataset}/fold-${fold}`,
        bytes: 0,
        digest: foldDigest(split, fold),
      };
  },
  run: (options, context) =>
    async function* () {
      const { signal, note, standing } = context;
      const packed = await context.shared(`split-faces ${canonical(options as Json)}`, async () => {
        const { prepareFaces, splitDataset } = await import("../datasets/prepare-faces.ts");
        const progress = (done: number, total: number) => standing(0, `cutting out face ${done}/${total}`);
        const found = await splitDataset(options, { signal, note });
        const faces = await prepareFaces(found, options, { signal, note, progress });
        return { ...faces, async [Symbol.asyncDispose]() {} };
      });
      context.facts.dataset = packed.facts;
      yield {
        kind: "fold",
        fold: Number(/\d+$/.exec(context.source.name)![0]),
        folds: options.folds,
        store: packed.store,
        split: packed.split,
      };
    },
});
