import type { Ledger } from "../ledger.ts";
import { giveBack } from "../media/give-back.ts";
import type { Crop, Frame, Status } from "../records.ts";
import { grouped, mapAhead } from "./ahead.ts";
import { anclafBox, grownBox } from "./boxes.ts";
import type { Detection, Detector } from "./detector.ts";
import type { FaceMesh, MeshFace } from "./facemesh.ts";
import { createLooks, type Detect, mergeLooks, uncut } from "./looks.ts";
import type { Prepared } from "./prepared.ts";
import { createPresence } from "./presence.ts";
import { resample } from "./resample.ts";
import { createShots, type Thumbnail, thumbnail } from "./shots.ts";
import { createTracker } from "./tracker.ts";

export interface SubjectOptions {
  /** Detections from this score on are subjects; the weaker ones that the detector gives continue tracks. */
  readonly minScore: number;
  /** Boxes with a shorter side than this, in pixels, are not cut. */
  readonly minSize: number;
  /** Where frames are looked at closely, of detectors that can; see {@link createLooks}. Default: whole. */
  readonly detect?: Detect;
  /** Share of the box's width and height added on each side. */
  readonly margin: number;
  /** Side of the square crops, pixels. */
  readonly size: number;
  /** At most this many rows a frame. */
  readonly most?: number | undefined;
  /** Frames per call of the detector. */
  readonly batch: number;
  /** See {@link createShots}. */
  readonly shotRatio: number;
  /** Seconds that a track outlives its last detection. */
  readonly maxGap: number;
  /** With a mesh: what {@link createPresence} asks of a face. */
  readonly minPresence?: number;
  /** With a mesh: boxes are cut by its landmarks; else it only tells faces from other things. */
  readonly byLandmarks?: boolean;
}

/** Pixels that one batch may hold, whatever its frames' size. */
const BATCH_BYTES = 32 * 2 ** 20;
/** Frames whose close looks are decided together, whatever the batch is: rows must not depend on it. */
const TOGETHER = 4;
/** More would only wait: libuv gives image work four threads. */
const PREPARED_AHEAD = 4;

/**
 * Finds, tracks and cuts the subjects of a video. Each frame gives at least one row: `ok` (cut), `too_small`,
 * `low_score` (a track's weak continuation, or the best candidate of a frame without subjects), `low_presence` (the mesh
 * sees no face there; its track goes on) or `no_face`. Rows come by frame, then by track id; a frame's rows beyond the
 * first are added to the ledger as `extra`.
 *
 * While the detector works on one batch of frames the next is received and resized and the one before is cut; at most
 * five batches are held. Rows do not depend on the batch size. Frames that were lent are given back when they are cut.
 *
 * @param mesh when given, rows say whether it sees a face; with `byLandmarks`, crops follow the ANCLaF rule on its 68
 *   landmarks, which the rows then carry.
 */
export async function* cropSubjects(
  frames: AsyncIterable<Frame>,
  { detector, mesh }: { readonly detector: Detector; readonly mesh?: FaceMesh | undefined },
  options: SubjectOptions,
  { signal, ledger }: { readonly signal: AbortSignal; readonly ledger: Ledger },
): AsyncGenerator<Crop, void, void> {
  const prepared = mapAhead(frames, PREPARED_AHEAD, (frame) => prepare(detector, frame), signal);
  const batches = grouped(
    inShots(prepared, options.shotRatio),
    options.detect === undefined || options.detect === "whole" || !detector.zoom ? options.batch : TOGETHER,
    ({ frame }) => frame.image.data.byteLength,
    BATCH_BYTES,
  );
  const detected = find(batches, detector, options, signal);
  const looked = mapAhead(track(detected, options), 2, (rows) => lookAt(rows, mesh), signal);
  const cut = mapAhead(chosen(looked, options), 2, (rows) => cutOut(rows, options), signal);
  for await (const batch of cut)
    for (const crops of batch) {
      ledger.add("extra", crops.length - 1);
      yield* crops;
    }
}

interface PreparedFrame extends Thumbnail {
  readonly frame: Frame;
  readonly prepared: Prepared;
}
type InShot = PreparedFrame & { readonly shot: number };
type Detected = InShot & { readonly detections: readonly Detection[] };
/** A row before its pixels are cut. */
type Row = Omit<Crop, "image">;
/** With what the mesh sees in each that may be cut. */
type Looked = Row & { readonly seen?: MeshFace };
interface Rows<R extends Row = Row> {
  readonly frame: Frame;
  readonly rows: readonly R[];
}

async function prepare(detector: Detector, frame: Frame): Promise<PreparedFrame> {
  const prepared = await detector.prepare(frame.image);
  // The detector's input is in the cache already, so the thumbnail costs next to nothing.
  return { frame, prepared, pts: frame.pts, data: thumbnail(prepared.input, prepared.shown) };
}

async function* inShots(frames: AsyncIterable<PreparedFrame>, ratio: number): AsyncGenerator<InShot, void, void> {
  const shots = createShots<PreparedFrame>({ ratio });
  const named = ({ frame, shot }: { frame: PreparedFrame; shot: number }): InShot => ({ ...frame, shot });
  for await (const frame of frames) yield* shots.push(frame).map(named);
  yield* shots.end().map(named);
}

function find(
  batches: AsyncIterable<readonly InShot[]>,
  detector: Detector,
  options: SubjectOptions,
  signal: AbortSignal,
): AsyncIterable<Detected[]> {
  const { detect = "whole" } = options;
  if (detect === "whole" || !detector.zoom)
    return mapAhead(
      batches,
      2,
      async (batch) => {
        const found = await detector.infer(batch.map(({ prepared }) => prepared));
        return batch.map((item, i) => ({ ...item, detections: found[i]! }));
      },
      signal,
    );
  const looks = createLooks(detect, options.minSize);
  // One after the other: where to look follows from what was found.
  return mapAhead(
    batches,
    1,
    async (batch) => {
      const seen = batch.map(({ frame: { image, pts }, shot }) => ({ shot, pts, size: sizeOf(image) }));
      const close = looks.looks(seen).flatMap((parts, i) => parts.map((look) => ({ ...look, i })));
      const zoomed = await Promise.all(
        close.map(({ i, part, scale }) => detector.zoom!(batch[i]!.frame.image, part, scale)),
      );
      const found = await detector.infer([...batch.map(({ prepared }) => prepared), ...zoomed]);
      const merged = batch.map((item, i) => {
        const inParts = close.flatMap(({ i: of, part }, k) =>
          of === i ? uncut(found[batch.length + k]!, part, seen[i]!.size) : [],
        );
        return { ...item, detections: mergeLooks(found[i]!, inParts, seen[i]!.size, options.minScore) };
      });
      const faces = merged.map(({ detections }) => detections.filter(({ score }) => score >= options.minScore));
      looks.found(seen, faces);
      return merged;
    },
    signal,
  );
}

function sizeOf({ width, height }: Frame["image"]) {
  return { width, height };
}

async function* track(
  batches: AsyncIterable<readonly Detected[]>,
  options: SubjectOptions,
): AsyncGenerator<Rows[], void, void> {
  const tracker = createTracker({ startScore: options.minScore, maxGap: options.maxGap * 1e6 });
  let shot = 0;
  for await (const batch of batches)
    yield batch.map((item) => {
      if (item.shot !== shot) tracker.cut();
      shot = item.shot;
      const visible = item.detections.filter(({ box }) => grownBox(box, 0, item.frame.image) !== null);
      return { frame: item.frame, rows: rowsOf(item, visible, tracker.update(visible, item.pts), options) };
    });
}

function rowsOf(
  { frame, shot }: Detected,
  detections: readonly Detection[],
  tracks: readonly number[],
  { minScore, minSize }: SubjectOptions,
): Row[] {
  const { index, pts, image } = frame;
  const row = (status: Status, track: number, found: Detection | null): Row => ({
    kind: "crop",
    index,
    pts,
    status,
    track,
    shot,
    box: found?.box ?? null,
    score: found?.score ?? 0,
    landmarks: found?.landmarks ?? null,
    frame: { width: image.width, height: image.height },
  });
  const statusOf = ({ score, box }: Detection): Status =>
    score < minScore ? "low_score" : Math.min(box.width, box.height) < minSize ? "too_small" : "ok";
  const rows = detections
    .map((found, i) => row(statusOf(found), tracks[i]!, found))
    .filter(({ track }) => track >= 0)
    .sort((a, b) => a.track - b.track);
  if (rows.length > 0) return rows;
  const best = detections.reduce<Detection | null>((a, b) => (a && a.score >= b.score ? a : b), null);
  return [row(best ? "low_score" : "no_face", -1, best)];
}

/** What the mesh sees in every row that may be cut. */
async function lookAt(batch: readonly Rows[], mesh: FaceMesh | undefined): Promise<readonly Rows<Looked>[]> {
  if (mesh === undefined) return batch;
  const faces = batch.flatMap(({ frame, rows }) =>
    rows.filter(({ status }) => status === "ok").map((row) => ({ row, image: frame.image })),
  );
  const squares = await Promise.all(faces.map(({ row, image }) => mesh.prepare(image, row.box!)));
  const found = await mesh.look(squares);
  const seen = new Map(faces.map(({ row }, i) => [row, found[i]!]));
  return batch.map(({ frame, rows }) => ({
    frame,
    rows: rows.map((row) => {
      const face = seen.get(row);
      return face === undefined ? row : { ...row, presence: face.presence, seen: face };
    }),
  }));
}

/** Refuses what is no face, then keeps the `most`: what will be cut before what will not, those tracked longest first. */
async function* chosen(
  batches: AsyncIterable<readonly Rows<Looked>[]>,
  { minPresence = 0, most }: SubjectOptions,
): AsyncGenerator<Rows<Looked>[], void, void> {
  const presence = createPresence(minPresence);
  for await (const batch of batches)
    yield batch.map(({ frame, rows }) => ({
      frame,
      rows: rows
        .map((row): Looked => {
          if (row.seen === undefined) return row;
          const { track, pts, box, seen } = row;
          const face = { track, pts, size: Math.min(box!.width, box!.height), presence: seen.presence };
          return presence.accepts(face) ? row : { ...row, status: "low_presence" };
        })
        .sort((a, b) => Number(b.status === "ok") - Number(a.status === "ok") || a.track - b.track)
        .slice(0, most)
        .sort((a, b) => a.track - b.track),
    }));
}

async function cutOut(batch: readonly Rows<Looked>[], options: SubjectOptions): Promise<(readonly Crop[])[]> {
  const crops = await Promise.all(
    batch.map(({ frame, rows }) =>
      Promise.all(
        rows.map(async ({ seen, ...row }) => {
          if (row.status !== "ok") return { ...row, image: null };
          const points = options.byLandmarks ? seen?.landmarks : undefined;
          const box = (points && anclafBox(points, frame.image)) ?? grownBox(row.box!, options.margin, frame.image)!;
          const image = await resample(frame.image, box, { width: options.size, height: options.size });
          return { ...row, ...(points && { landmarks: points }), image };
        }),
      ),
    ),
  );
  for (const { frame } of batch) giveBack(frame.image);
  return crops;
}
