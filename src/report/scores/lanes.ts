import type { TrackSeries } from "./series.ts";

/** Tracks one after the other in as few rows as there are faces at once: each takes the first row that is free. */
export function lanes(tracks: Iterable<TrackSeries>): TrackSeries[][] {
  const rows: TrackSeries[][] = [];
  for (const track of [...tracks].sort((a, b) => a.span.from - b.span.from || a.track - b.track)) {
    const free = rows.find((row) => row.at(-1)!.span.to < track.span.from);
    if (free) free.push(track);
    else rows.push([track]);
  }
  return rows;
}
