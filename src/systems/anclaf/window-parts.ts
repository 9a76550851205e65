import { createHash } from "node:crypto";
import { PipeError } from "../../errors.ts";
import type { FoldedClip, Window } from "../../records.ts";
import { labelledSteps } from "./window-validation.ts";

export const PARTS = ["training", "validation", "test"] as const satisfies readonly FoldedClip["part"][];

/** Windows of one length, by what their people are to the fold. */
export type WindowParts = Readonly<Record<FoldedClip["part"], readonly Window[]>>;

/** The windows of one fold. */
export interface WindowSet {
  readonly fold: Pick<FoldedClip, "fold" | "folds" | "digest">;
  /** Shape of one step's values. */
  readonly shape: readonly number[];
  readonly byLength: ReadonlyMap<number, WindowParts>;
  /** Absolute paths of all cache entries that windows point at, sorted. */
  readonly folders: readonly string[];
}

/**
 * Gathers the windows of a fold, of these lengths; others are passed over.
 *
 * @throws PipeError for windows that belong to no fold, to several folds or splits, or have steps of different shapes; where
 * a length has none, or a part of it no face with a label; and where no clip is as long as a window
 */
export async function gatherWindows(windows: AsyncIterable<Window>, lengths: readonly number[]): Promise<WindowSet> {
  const byLength = new Map(lengths.map((n) => [n, { training: [], validation: [], test: [] } as Gathering]));
  const others = new Set<number>();
  const folders = new Set<string>();
  let first: (Window & { readonly clip: FoldedClip }) | undefined;
  for await (const window of windows) {
    const clip = clipOf(window);
    first ??= { ...window, clip };
    checkAlike(first, { ...window, clip });
    const own = byLength.get(window.n);
    if (own === undefined) others.add(window.n);
    else {
      own[clip.part].push(window);
      folders.add(window.folder);
    }
  }
  if (first === undefined)
    throw new PipeError("There are no windows: no clip has a face.", {
      hint: "pipe run inspect-latents shows what the cache holds.",
    });
  for (const [n, parts] of byLength) checkParts(n, parts, others);
  const { fold, folds, digest } = first.clip;
  return { fold: { fold, folds, digest }, shape: first.shape, byLength, folders: [...folders].sort() };
}

/** sha256, hex, of windows, labels included. `contentOf` says what a folder holds: the same latents elsewhere are the same. */
export function windowsDigest(parts: WindowParts, contentOf: (folder: string) => string): string {
  const hash = createHash("sha256");
  for (const part of PARTS)
    for (const { n, source, track, folder, rows, index, pts, labels, length, fresh } of parts[part]) {
      hash.update(JSON.stringify([part, n, source, track, contentOf(folder), length, fresh]));
      for (const { buffer, byteOffset, byteLength } of [rows, index, pts, labels])
        hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    }
  return hash.digest("hex");
}

type Gathering = Record<FoldedClip["part"], Window[]>;

function clipOf({ clip, source }: Window): FoldedClip {
  if (clip !== null) return clip;
  throw new PipeError(`The windows of ${source} belong to no fold, so nobody knows who may be trained on.`, {
    hint: "Let read-latents make folds: --set read-latents.by=fold",
  });
}

function checkAlike(
  first: Pick<Window, "shape" | "source"> & { clip: FoldedClip },
  next: Pick<Window, "shape" | "source"> & { clip: FoldedClip },
): void {
  const fault = (what: string, a: string, b: string) =>
    new PipeError(
      `Windows differ in ${what}: ${first.source} has ${a}, ${next.source} ${b}. They do not go together.`,
      {
        hint: "Train on one fold of one data set, of which all latents were made in one way.",
      },
    );
  if (first.clip.fold !== next.clip.fold) throw fault("their fold", `${first.clip.fold}`, `${next.clip.fold}`);
  if (first.clip.digest !== next.clip.digest)
    throw fault("their split", first.clip.digest.slice(0, 12), next.clip.digest.slice(0, 12));
  if (first.shape.join() !== next.shape.join())
    throw fault("the shape of a step", `[${first.shape.join(", ")}]`, `[${next.shape.join(", ")}]`);
}

function checkParts(n: number, parts: WindowParts, others: ReadonlySet<number>): void {
  const all = PARTS.flatMap((part) => parts[part]);
  if (all.length === 0)
    throw new PipeError(
      `There are no windows of ${n} steps${others.size > 0 ? `; there are of ${[...others].join(", ")}` : ""}.`,
      {
        hint: `Let window-sequences cut them: --set window-sequences.n=[…, ${n}]`,
      },
    );
  for (const part of PARTS) checkPart(part, parts[part]);
  const longest = parts.training.reduce((most, { length }) => Math.max(most, length), 0);
  if (longest < n)
    throw new PipeError(`No training clip has ${n} frames in a row: the longest stretch of one face has ${longest}.`, {
      hint: `Train on shorter windows: --n ${Math.max(2, 2 ** Math.floor(Math.log2(longest)))}`,
    });
}

function checkPart(part: FoldedClip["part"], windows: readonly Window[]): void {
  if (windows.length === 0) throw new PipeError(`The fold's ${part} people have no windows.`, { hint: UNFINISHED });
  const faces = windows.some(({ present }) => present.some((one) => one !== 0));
  if (!faces)
    throw new PipeError(`In all windows of the fold's ${part} people, no face was found.`, { hint: UNFINISHED });
  if (!windows.some((window) => labelledSteps(window).length > 0))
    throw new PipeError(`None of the faces of the fold's ${part} people has a label.`, {
      hint: "Only labelled data can be trained and tested on: pipe run extract-faces makes such latents.",
    });
}

const UNFINISHED = "Run the pipeline that made the latents to its end; pipe run inspect-latents shows what they hold.";
