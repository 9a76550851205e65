import type { FoldedClip, Window } from "../../../src/records.ts";
import type { LabelScale, WindowReader } from "../../../src/systems/anclaf/window-batches.ts";

/** One track of a clip: rows of values, null where there is no face; labels, NaN where there are none. */
export interface Track {
  readonly clip: string;
  readonly part: FoldedClip["part"];
  readonly values: readonly (readonly number[] | null)[];
  readonly labels: readonly (readonly [number, number])[];
}

/** Windows of n steps, one after the other, the last one over the track's end; a shorter track gives one with padding. */
export function cut(tracks: readonly Track[], n: number): Window[] {
  return tracks.flatMap((track) => {
    const { length } = track.values;
    const starts = Array.from({ length: Math.floor(length / n) }, (_, k) => k * n);
    if (starts.length === 0) starts.push(0);
    else if (length % n > 0) starts.push(length - n);
    let dense = 0;
    const rows = track.values.map((values) => (values === null ? -1 : dense++));
    return starts.map((start, k): Window => {
      const at = Array.from({ length: n }, (_, t) => start + t);
      const before = k === 0 ? 0 : starts[k - 1]! + n;
      return {
        kind: "window",
        n,
        source: track.clip,
        clip: {
          id: track.clip,
          group: track.clip,
          fold: 1,
          folds: 3,
          part: track.part,
          digest: "d",
          labelled: length,
        },
        track: 0,
        folder: `/${track.clip}`,
        shape: [track.values.find((values) => values !== null)?.length ?? 1],
        rows: Int32Array.from(at, (i) => rows[i] ?? -1),
        index: Int32Array.from(at, (i) => (i < length ? i : -1)),
        pts: Float64Array.from(at, (i) => (i < length ? i * 40_000 : Number.NaN)),
        present: Uint8Array.from(at, (i) => Number((rows[i] ?? -1) >= 0)),
        labels: Float32Array.from(at.flatMap((i) => track.labels[i] ?? [Number.NaN, Number.NaN])),
        length: Math.min(n, length),
        fresh: Math.max(0, before - start),
      };
    });
  });
}

/** Reads tracks from memory, and notes what was read. */
export function memoryReader(tracks: readonly Track[]): WindowReader & { readonly reads: string[] } {
  const folders = new Map(
    tracks.map(({ clip, values }) => [`/${clip}`, values.filter((row): row is readonly number[] => row !== null)]),
  );
  const reads: string[] = [];
  return {
    reads,
    async read(windows, into) {
      into.fill(0);
      let at = 0;
      for (const { folder, rows, shape } of windows) {
        reads.push(`${folder} ${rows.join()}`);
        for (const row of rows) {
          if (row >= 0) into.set(folders.get(folder)![row]!, at);
          at += shape[0]!;
        }
      }
    },
  };
}

/** Native labels of −10..10; a weight that tells labels and dimensions apart. */
export const scale: LabelScale = { unit: (label) => label / 10, weight: (label, d) => 1 + d + label / 20 };
