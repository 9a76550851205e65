import { z } from "zod";
import type { FaceStore } from "../datasets/face-store.ts";
import { FACES_RUNTIME, facesOptions, foldsAsked } from "../datasets/faces-options.ts";
import { canonical, digestOf, type Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import type { Crop, FoldedClip } from "../records.ts";
import { defineStage } from "./define.ts";

/**
 * The faces that split-faces gives to training, clip by clip with their labels, for what is made of a fold's frozen
 * networks: every clip of the dataset is a source once for each fold, and knows which part it plays there.
 */
export default defineStage({
  name: "read-faces",
  summary: "a labelled dataset → crop*: each clip's faces with their labels, once for each fold",
  version: 2,
  takes: "none",
  gives: "crop",
  options: z.strictObject({
    ...facesOptions,
    rate: z
      .number()
      .positive()
      .max(1000)
      .optional()
      .describe("frames a second of clips that are pictures without times; default 25, or that of drawn data"),
  }),
  runtime: FACES_RUNTIME,
  folds: foldsAsked,
  async *sources(options, { signal, note }) {
    const { foldDigest, foldsWanted, prepareFaces, splitDataset } = await import("../datasets/prepare-faces.ts");
    const { openFaceStore } = await import("../datasets/face-store.ts");
    const { splitOf } = await import("../datasets/folds.ts");
    const found = await splitDataset(options, { signal, note });
    const { dataset, split } = found;
    const wanted = foldsWanted(split, options);
    // A clip is known by its pixels, so that they are cut out before anything can be planned.
    const { store: path } = await prepareFaces(found, options, { signal, note });
    await using store = await openFaceStore(path, { signal });
    const rate = await rateOf(options);
    const faces = facesOf(store);
    for (const fold of wanted) {
      const parts = splitOf(split.folds, fold);
      const partOf = new Map(PARTS.flatMap((part) => parts[part].map((clip) => [clip, part] as const)));
      const digest = foldDigest(split, fold);
      for (const { id, group, frames } of dataset.clips) {
        const name = `${options.dataset}/fold-${fold}/${id}`;
        const count = faces.get(id) ?? 0;
        if (count === 0) yield { path, name, refused: `No face of its ${frames.length} frames could be cut out.` };
        else
          yield {
            path,
            name,
            bytes: count * store.side ** 2 * 3,
            digest: digestOf(["face clip", store.digest, id, digest, rate]),
            clip: {
              id,
              group,
              fold,
              folds: split.folds.length,
              part: partOf.get(id)!,
              digest,
              labelled: frames.length,
            },
          };
      }
    }
  },
  run: (options, context) =>
    async function* () {
      const { source, facts, ledger, signal } = context;
      const { clip } = source;
      if (clip === undefined)
        throw new PipeError(`${source.name} is no clip of a labelled dataset.`, {
          hint: "Take the sources that read-faces itself finds.",
        });
      const store = await context.shared(`read-faces ${source.path}`, async () => {
        const { openFaceStore } = await import("../datasets/face-store.ts");
        return openFaceStore(source.path);
      });
      const rate = await context.shared(`read-faces rate ${canonical(options as Json)}`, async () => ({
        value: await rateOf(options),
        async [Symbol.asyncDispose]() {},
      }));
      const { dataset, range } = store;
      facts.clip = { ...clip };
      facts.range = { valence: [...range.valence], arousal: [...range.arousal] };
      facts.labels = { dataset: dataset.name, ...facts.range };
      const { rowsOf } = await import("../datasets/face-store.ts");
      const rows = rowsOf(store, [clip.id]);
      for (let from = 0; from < rows.length; from += FACES_A_READ) {
        signal.throwIfAborted();
        const own = rows.subarray(from, from + FACES_A_READ);
        const size = store.side ** 2 * 3;
        const pixels = new Uint8Array(own.length * size);
        await store.read(own, pixels);
        for (const [i, row] of own.entries()) {
          for (const name of ["demuxed", "decoded", "sampled"] as const) ledger.add(name);
          // Its own memory, so that a crop that is kept does not keep its neighbours.
          yield cropOf(store, row, pixels.slice(i * size, (i + 1) * size), rate.value);
        }
      }
      const lost = clip.labelled - rows.length;
      ledger.add("demuxed", lost);
      ledger.add("failed", lost);
      context.verdict("complete");
    },
});

const PARTS = ["training", "validation", "test"] as const satisfies readonly FoldedClip["part"][];
const FACES_A_READ = 32;
/** AFEW-VA's clips are of films, and have no times. */
const FILM_RATE = 25;

async function rateOf(options: z.output<z.ZodObject<typeof facesOptions>> & { rate?: number | undefined }) {
  if (options.rate !== undefined) return options.rate;
  if (options.dataset !== "synth") return FILM_RATE;
  const { drawnRate, facesFolder } = await import("../datasets/prepare-faces.ts");
  return drawnRate(facesFolder(options));
}

/** How many faces each clip has. */
function facesOf({ clips, clipOf }: FaceStore): Map<string, number> {
  const counts = new Int32Array(clips.length);
  for (const clip of clipOf) counts[clip]! += 1;
  return new Map(clips.map(({ id }, i) => [id, counts[i]!]));
}

/** The frame's number is the dataset's own, so that frames without a label leave a gap in numbers and times alike. */
function cropOf(store: FaceStore, row: number, data: Uint8Array, rate: number): Crop {
  const { side, points } = store;
  const index = store.frameOf[row]!;
  const pts = store.pts[row]!;
  const [x, y, width, height] = store.box.subarray(row * 4, row * 4 + 4) as unknown as [number, number, number, number];
  // The store has them in pixels of the crop.
  const landmarks = store.landmarks
    .subarray(row * points * 2, (row + 1) * points * 2)
    .map((at, i) => (i % 2 === 0 ? x + (at * width) / side : y + (at * height) / side));
  return {
    kind: "crop",
    index,
    pts: Number.isNaN(pts) ? Math.round((index * 1e6) / rate) : pts,
    status: "ok",
    track: 0,
    shot: 0,
    box: { x, y, width, height },
    score: 1,
    landmarks,
    label: { valence: store.valence[row]!, arousal: store.arousal[row]! },
    image: { width: side, height: side, data },
    frame: null,
  };
}
