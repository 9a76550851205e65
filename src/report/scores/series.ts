import { quadrantOfRow, type ScoreRow, type ScoreScale } from "./row.ts";

/** Numbers that come one by one, in one typed array that doubles: a million rows are a few megabytes. */
export class Growing {
  #room: Float64Array | Float32Array;
  length = 0;

  constructor(kind: "float32" | "float64") {
    this.#room = kind === "float32" ? new Float32Array(64) : new Float64Array(64);
  }

  push(value: number): void {
    if (this.length === this.#room.length) {
      const room =
        this.#room instanceof Float32Array ? new Float32Array(this.length * 2) : new Float64Array(this.length * 2);
      room.set(this.#room);
      this.#room = room;
    }
    this.#room[this.length++] = value;
  }

  /** What there is, without a copy. */
  get values(): Float64Array | Float32Array {
    return this.#room.subarray(0, this.length);
  }
}

/** A stretch of time, microseconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** All scored rows of one track; array i-th elements belong together, NaN where the model says nothing. */
export interface TrackSeries {
  readonly track: number;
  readonly shot: number;
  /** Of its first and last row, scored or not. */
  span: Span;
  /** Its rows, scored or not. */
  rows: number;
  readonly pts: Growing;
  readonly valence: Growing;
  readonly arousal: Growing;
  readonly valenceSmoothed: Growing;
  readonly arousalSmoothed: Growing;
  /** Scored rows by quadrant id. */
  readonly quadrants: number[];
  /** Sums over the scored rows. */
  readonly quality: { size: number; blur: number };
}

/** What is kept of a video's rows for summaries and pictures: 24 bytes a scored row. */
export class VideoSeries {
  readonly scale: ScoreScale;
  readonly tracks = new Map<number, TrackSeries>();
  /** Where each shot begins. */
  readonly shots: { readonly shot: number; readonly pts: number }[] = [];
  /** From the first to the last of neighbouring frames without any scored face. */
  readonly missing: Span[] = [];
  rows = 0;
  frames = 0;
  /** Frames with a scored face. */
  covered = 0;
  span: Span | null = null;
  #frame = -1;
  #scored = false;
  #pts = 0;
  /** A stretch without faces is going on. */
  #without = false;

  constructor(scale: ScoreScale) {
    this.scale = scale;
  }

  /** Takes the rows in their order. */
  add(row: ScoreRow): void {
    const { index, pts, shot } = row;
    if (index !== this.#frame) {
      this.#endFrame();
      this.#frame = index;
      this.#pts = pts;
      this.#scored = false;
      this.frames += 1;
      this.span = { from: this.span?.from ?? pts, to: pts };
      if (shot !== this.shots.at(-1)?.shot) this.shots.push({ shot, pts });
    }
    this.rows += 1;
    if (row.status === "ok") this.#scored = true;
    if (row.track >= 0) this.#addToTrack(row);
  }

  /** No more rows will come. */
  end(): void {
    this.#endFrame();
  }

  #endFrame(): void {
    if (this.#frame < 0) return;
    if (this.#scored) {
      this.covered += 1;
      this.#without = false;
      return;
    }
    const last = this.missing.at(-1);
    if (this.#without && last) this.missing[this.missing.length - 1] = { from: last.from, to: this.#pts };
    else this.missing.push({ from: this.#pts, to: this.#pts });
    this.#without = true;
  }

  #addToTrack(row: ScoreRow): void {
    const { track, pts } = row;
    const series = this.tracks.get(track) ?? newTrack(row);
    this.tracks.set(track, series);
    series.rows += 1;
    series.span = { from: series.span.from, to: pts };
    if (row.status !== "ok") return;
    series.pts.push(pts);
    series.valence.push(row.valence ?? Number.NaN);
    series.arousal.push(row.arousal ?? Number.NaN);
    series.valenceSmoothed.push(row.valenceSmoothed ?? Number.NaN);
    series.arousalSmoothed.push(row.arousalSmoothed ?? Number.NaN);
    const quadrant = quadrantOfRow(row, this.scale);
    if (quadrant !== null) series.quadrants[quadrant]! += 1;
    series.quality.size += row.quality?.size ?? 0;
    series.quality.blur += row.quality?.blur ?? 0;
  }
}

function newTrack({ track, shot, pts }: ScoreRow): TrackSeries {
  const numbers = () => new Growing("float32");
  return {
    track,
    shot,
    span: { from: pts, to: pts },
    rows: 0,
    pts: new Growing("float64"),
    valence: numbers(),
    arousal: numbers(),
    valenceSmoothed: numbers(),
    arousalSmoothed: numbers(),
    quadrants: [0, 0, 0, 0],
    quality: { size: 0, blur: 0 },
  };
}
