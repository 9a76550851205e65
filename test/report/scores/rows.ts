import type { Random } from "../../../src/random.ts";
import type { Prediction } from "../../../src/records.ts";
import type { ScoreScale } from "../../../src/report/scores/row.ts";
import { VideoSeries } from "../../../src/report/scores/series.ts";
import { Smoother } from "../../../src/report/scores/smooth.ts";

/** A prediction of a face, all of it made up but what is given. */
export function prediction(given: Partial<Prediction> = {}): Prediction {
  const ok = (given.status ?? "ok") === "ok";
  const face = {
    track: 0,
    box: { x: 10.25, y: 20.5, width: 40, height: 44 },
    score: 0.75,
    valence: 0.125,
    arousal: -0.25,
    quality: { size: 40, blur: 300.5, yaw: -3.25 },
    image: { width: 2, height: 2, data: new Uint8Array(12).fill(90) },
  };
  const nobody = { track: -1, box: null, score: 0, valence: null, arousal: null, quality: null, image: null };
  return {
    kind: "prediction",
    index: 0,
    pts: 0,
    status: "ok",
    shot: 0,
    landmarks: null,
    quadrant: null,
    confidence: null,
    entropy: null,
    expression: null,
    ...(ok ? face : nobody),
    ...given,
  };
}

/** Frames at unsteady times with up to three tracks, each at times not found, over two shots. */
export function unsteady(random: Random, frames: number): Prediction[] {
  let pts = 0;
  return Array.from({ length: frames }, (_, index) => {
    pts += 1000 * Math.floor(5 + random.next() * 90);
    const shot = index < frames / 2 ? 0 : 1;
    const rows = [0, 1, 2].flatMap((k) => {
      const seen = random.next();
      const subject = { index, pts, shot, track: k + shot * 3 };
      if (seen < 0.2) return [];
      if (seen < 0.3) return [prediction({ ...subject, status: "too_small" })];
      return [prediction({ ...subject, valence: random.next() * 2 - 1, arousal: random.next() * 2 - 1 })];
    });
    return rows.length > 0 ? rows : [prediction({ index, pts, shot, status: "no_face" })];
  }).flat();
}

/** What is kept of rows, smoothed over 100 ms. */
export function seriesOf(
  rows: readonly Prediction[],
  scale: ScoreScale = { valence: [-1, 1], arousal: [-1, 1] },
): VideoSeries {
  const [series, smoother] = [new VideoSeries(scale), new Smoother(100)];
  for (const row of [...rows.flatMap((each) => smoother.push(each)), ...smoother.end()]) series.add(row);
  series.end();
  return series;
}
