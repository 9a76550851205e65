import { readFile } from "node:fs/promises";
import { PipeError, reasonOf } from "../errors.ts";
import { borrowedNote, clipFrames, type RawFrame, usableLandmarks } from "./clip-frames.ts";
import { landmarksIn } from "./landmark-text.ts";
import { inParallel } from "./parallel.ts";
import { CHANNELS, type Channel, type SegmentFiles, sewaFiles } from "./sewa-files.ts";
import { type LabelRow, sewaLabels } from "./sewa-labels.ts";
import type { ClipMedia, Dataset, LabelledClip, LabelRange, Skip } from "./types.ts";

export interface SewaOptions {
  /** What the annotators had: audio (A, as ANCLaF's published code reads), video (V), or both (AV, the default). */
  readonly annotation?: Channel;
  /** Native units. Default −1..1; the published code assumes 0..1, which its own results contradict. */
  readonly range?: LabelRange;
  /** Labels a second (default 50), or "video": one for each picture of the video. */
  readonly rate?: number | "video";
  /** How many frame numbers away landmarks may be borrowed (default 25, half a second). */
  readonly reach?: number;
  readonly signal?: AbortSignal;
}

/**
 * Reads the labels of SEWA (Kossaifi et al. 2019): segments `SSL_C2_S055_P109_VC1_004803_005542` with a video, a valence
 * and an arousal file, and one text file of landmarks a frame. Groups are the sessions, which hold both chat partners.
 *
 * Labels, landmarks and pictures are brought together by frame id. Ids count from 0 or 1 in each segment, or go on as in
 * the original recording; which it is, is seen from all segments together and told in the notes. Label `k` belongs to
 * the picture shown in the middle of its tick, i.e. at (k − first + 1/2) / rate seconds: the videos hold 20–30 pictures
 * a second at uneven times, the labels 50.
 *
 * A frame is skipped where it has one label of the two, a label is no number, or no landmarks are near; a segment where
 * its video or its labels of the channel are not there.
 *
 * @throws PipeError when there is no segment, none is annotated in the channel, a file is not CSV, or a label is outside
 * the range.
 */
export async function readSewa(
  folder: string,
  { annotation = "AV", range = SEWA_RANGE, rate = 50, reach = 25, signal }: SewaOptions = {},
): Promise<Dataset> {
  const segments = await sewaFiles(folder, signal);
  if (segments.length === 0)
    throw new PipeError(`${folder}: there is no SEWA segment in it.`, {
      hint: "A segment's files begin with its name, e.g. SSL_C2_S055_P109_VC1_004803_005542.avi.",
    });
  refuseMissingChannel(folder, segments, annotation);

  const labels = await inParallel(segments.length, FILES_AT_ONCE, (i) => labelsOf(segments[i]!, annotation), signal);
  const landmarks: Landmarks[] = [];
  for (const segment of segments) landmarks.push(await landmarksOf(segment, signal));
  const points = commonPoints(landmarks);
  const numbering = numberingOf(segments, labels);

  const clips: LabelledClip[] = [];
  const skipped: Skip[] = [];
  let labelled = 0;
  for (const [i, segment] of segments.entries()) {
    const { rows, missing } = labels[i]!;
    labelled += rows.length;
    const leaveOut = (reason: string): void => {
      skipped.push({ where: segment.stem, reason, frames: rows.length });
    };
    if (missing !== undefined) leaveOut(missing);
    else if (segment.video === undefined)
      leaveOut("there is no video (.avi or .mp4) of it; is it still packed, or a link whose file was not fetched?");
    else if (rows.length === 0) leaveOut("its annotation files label no frame");
    else {
      const raw = rows.map((row): RawFrame => {
        const own = landmarks[i]!.get(row.id);
        return { ...row, landmarks: own?.length === points * 2 ? own : null };
      });
      const checked = clipFrames(segment.stem, raw, { range, reach });
      skipped.push(...checked.skipped);
      const first = numbering === "recording" ? segment.first : numbering;
      const media: ClipMedia = { kind: "video", path: segment.video, first, rate };
      const { stem: id, session: group } = segment;
      if (checked.frames.length > 0) clips.push({ id, group, media, frames: checked.frames });
    }
  }
  if (clips.length === 0)
    throw new PipeError(
      `${folder}: no labelled frame can be used. The first: ${skipped[0]!.where}: ${skipped[0]!.reason}.`,
    );
  const notes = [...notesOf(annotation, numbering, rate), ...borrowedNote(clips)];
  return { name: "sewa", folder, range, points, clips, labelled, skipped, notes };
}

export const SEWA_RANGE: LabelRange = { valence: [-1, 1], arousal: [-1, 1] };

const FILES_AT_ONCE = 16;

type Landmarks = ReadonlyMap<number, Float32Array>;
type SegmentLabels = { rows: Omit<RawFrame, "landmarks">[]; missing?: string };

/** Valence and arousal by frame id; ids that one of the two lacks are unusable, not lost. */
async function labelsOf(segment: SegmentFiles, channel: Channel): Promise<SegmentLabels> {
  const read = async (dimension: "valence" | "arousal"): Promise<Map<string, LabelRow[]> | undefined> => {
    const path = segment[dimension].get(channel);
    if (path === undefined) return undefined;
    const rows = sewaLabels(path, await readFile(path, "utf8"), dimension);
    return byFrame(rows);
  };
  const [valence, arousal] = [await read("valence"), await read("arousal")];
  const rows = [...new Set([...(valence?.keys() ?? []), ...(arousal?.keys() ?? [])])].flatMap((key) => {
    const [vs, as] = [valence?.get(key) ?? [], arousal?.get(key) ?? []];
    return Array.from({ length: Math.max(vs.length, as.length) }, (_, i) => {
      const [v, a] = [vs[i], as[i]];
      const { name, id } = (v ?? a)!;
      const lacks = v === undefined ? "valence" : a === undefined ? "arousal" : undefined;
      const row = { name, id, valence: v?.value ?? Number.NaN, arousal: a?.value ?? Number.NaN };
      return lacks === undefined ? row : { ...row, unusable: `the ${lacks} file does not have it` };
    });
  });
  const absent = valence === undefined ? "valence" : arousal === undefined ? "arousal" : undefined;
  return absent === undefined ? { rows } : { rows, missing: `there is no ${absent} file of channel ${channel}` };
}

/** Rows of one frame together; what names no frame stands under its own text. */
function byFrame(rows: readonly LabelRow[]): Map<string, LabelRow[]> {
  const frames = new Map<string, LabelRow[]>();
  for (const row of rows) {
    const key = Number.isNaN(row.id) ? `?${row.name}` : String(row.id);
    const same = frames.get(key);
    if (same === undefined) frames.set(key, [row]);
    else same.push(row);
  }
  return frames;
}

async function landmarksOf(segment: SegmentFiles, signal: AbortSignal | undefined): Promise<Landmarks> {
  const files = [...segment.landmarks];
  const read = await inParallel(
    files.length,
    FILES_AT_ONCE,
    async (i) => {
      const [id, path] = files[i]!;
      const text = await readFile(path, "utf8").catch((error: unknown) => {
        throw new PipeError(`${path}: the landmarks cannot be read: ${reasonOf(error)}`);
      });
      const values = landmarksIn(text);
      return [id, values && usableLandmarks(values, values.length / 2)] as const;
    },
    signal,
  );
  return new Map(read.filter((one): one is readonly [number, Float32Array] => one[1] !== null));
}

/** A dataset has one number of points; frames with the other borrow, as if theirs were missing. */
function commonPoints(landmarks: readonly Landmarks[]): 49 | 68 {
  let of49 = 0;
  let of68 = 0;
  for (const segment of landmarks) for (const { length } of segment.values()) length === 98 ? of49++ : of68++;
  return of68 > of49 ? 68 : 49;
}

/** Whether ids go on as in the original recording, or the id that every segment's first picture has. */
function numberingOf(segments: readonly SegmentFiles[], labels: readonly SegmentLabels[]): "recording" | 0 | 1 {
  const ids = labels.map(({ rows }) => rows.map((row) => row.id).filter((id) => !Number.isNaN(id)));
  const inSpan = segments.every(({ first, last }, i) => ids[i]!.every((id) => first <= id && id <= last));
  if (inSpan) return "recording";
  return ids.some((own) => own.includes(0)) ? 0 : 1;
}

function refuseMissingChannel(folder: string, segments: readonly SegmentFiles[], annotation: Channel): void {
  const has = (channel: Channel): boolean =>
    segments.some((one) => one.valence.has(channel) && one.arousal.has(channel));
  if (has(annotation)) return;
  const there = CHANNELS.filter(has);
  throw new PipeError(`${folder}: no segment has valence and arousal of channel ${annotation}.`, {
    hint:
      there.length > 0
        ? `There is ${there.join(" and ")}: choose it (option annotation).`
        : "Annotation files are called <segment>_Valence_AV_Aligned.csv and <segment>_Arousal_AV_Aligned.csv.",
  });
}

function notesOf(annotation: Channel, numbering: "recording" | 0 | 1, rate: number | "video"): string[] {
  const base = numbering === "recording" ? "go on as in the recording" : `begin at ${numbering} in each segment`;
  return [
    `Labels are those of annotation channel ${annotation}.`,
    `Frame ids ${base}.`,
    rate === "video" ? "There is one label a picture." : `There are ${rate} labels a second.`,
  ];
}
