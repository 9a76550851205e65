import { PipeError } from "../errors.ts";
import { type Rational, toMicros } from "./clock.ts";
import { type ColourPlan, planColour } from "./colour.ts";
import { isRgb } from "./colour-names.ts";
import { ProbeError, runProbe, safely, type Tools } from "./ffmpeg-tools.ts";
import { checkSize, type Orientation, orientationOf, squareSize, turnedSize, turnsOf, UPRIGHT } from "./geometry.ts";
import type { Size } from "./images.ts";
import { notAVideo } from "./not-a-video.ts";
import type { Probe } from "./types.ts";

export interface Probed {
  readonly probe: Probe;
  /** The video stream's index in the container. */
  readonly index: number;
  readonly base: Rational;
  readonly square: Size;
  readonly orientation: Orientation;
  /** Where colour samples lie, as options of ffmpeg's `scale`, which does not ask the frames for it. */
  readonly chroma: string;
  /** How its colours become SDR RGB. */
  readonly colour: ColourPlan;
  /** Its samples are R, G and B. */
  readonly rgb: boolean;
  /** Frames that the decoder holds back to bring them into order. */
  readonly delay: number;
}

const WANTED =
  "format=format_name,duration:stream=index,codec_type,codec_name,width,height,pix_fmt,chroma_location,color_range,color_space,color_transfer,color_primaries," +
  "sample_aspect_ratio,time_base,nb_frames,has_b_frames,avg_frame_rate,r_frame_rate,duration:stream_disposition=attached_pic:stream_side_data";

/**
 * Facts of the first real video stream (not cover art), from ffprobe.
 *
 * @throws PipeError for what is no video container, has no video, or is too large.
 */
export async function probeWithTools(
  path: string,
  tools: Tools,
  maxPixels: number,
  signal: AbortSignal,
): Promise<Probed> {
  const text = await runProbe(
    tools.ffprobe,
    [...safely(maxPixels), "-show_entries", WANTED, "-of", "json", "-i", `file:${path}`],
    signal,
  ).catch((error: unknown) => {
    if (!(error instanceof ProbeError)) throw error;
    const size = /size (\d+)x(\d+) exceeds specified max pixel/.exec(error.log);
    if (size) {
      const shown = { width: Number(size[1]), height: Number(size[2]) };
      checkSize(path, shown, shown, maxPixels);
    }
    const why = /not on whitelist/.test(error.log) ? "its format is none of those known" : error.message;
    throw notAVideo(path, why, error);
  });
  const { streams = [], format = {} } = JSON.parse(text) as { streams?: StreamFacts[]; format?: FormatFacts };
  const stream = streams.find((one) => one.codec_type === "video" && !one.disposition?.attached_pic);
  if (!stream)
    throw new PipeError(`${path}: there is no video in it${streams.length > 0 ? ", only other streams" : ""}.`, {
      hint: "Give a file with a video stream.",
    });
  const coded = { width: stream.width ?? 0, height: stream.height ?? 0 };
  const ratio = rational(stream.sample_aspect_ratio);
  const square = squareSize(coded, ratio);
  checkSize(path, coded, square, maxPixels);
  const matrix = stream.side_data_list?.find((one) => one.displaymatrix !== undefined)?.displaymatrix;
  const orientation = matrix ? orientationOf(numbers(matrix)) : UPRIGHT;
  const average = rational(stream.avg_frame_rate);
  const rate = average.num > 0 ? average : rational(stream.r_frame_rate);
  const seconds = Number(stream.duration ?? format.duration);
  return {
    index: stream.index,
    base: rational(stream.time_base),
    square,
    orientation,
    chroma: chromaOf(stream.pix_fmt ?? "", stream.chroma_location),
    colour: planColour({
      matrix: stream.color_space ?? "unknown",
      transfer: stream.color_transfer ?? "unknown",
      primaries: stream.color_primaries ?? "unknown",
      full: stream.color_range === "pc" || (stream.pix_fmt ?? "").startsWith("yuvj"),
      rgb: isRgb(stream.pix_fmt ?? ""),
      ...coded,
    }),
    rgb: isRgb(stream.pix_fmt ?? ""),
    delay: stream.has_b_frames ?? 0,
    probe: {
      container: format.format_name ?? "unknown",
      codec: stream.codec_name ?? "unknown",
      coded,
      display: turnedSize(square, orientation),
      ...turnsOf(orientation),
      sampleAspectRatio: ratio.num > 0 && ratio.den > 0 ? ratio.num / ratio.den : 1,
      duration: Number.isFinite(seconds) ? Math.round(seconds * 1e6) : null,
      announcedFrames: Number(stream.nb_frames) > 0 ? Number(stream.nb_frames) : null,
      fps: rate.num > 0 && rate.den > 0 ? rate.num / rate.den : null,
    },
  };
}

/** Pts (µs; null where the container gives none) of each whole packet that should give a frame, in decoding order. */
export async function packetTimes(
  path: string,
  tools: Tools,
  { index, base }: Probed,
  maxPixels: number,
  signal: AbortSignal,
): Promise<(number | null)[]> {
  const text = await runProbe(
    tools.ffprobe,
    [
      ...safely(maxPixels),
      ...["-select_streams", String(index), "-show_entries", "packet=pts,flags", "-of", "csv=p=0"],
      ...["-i", `file:${path}`],
    ],
    signal,
  ).catch((error: unknown) => {
    // A file that breaks off makes ffprobe fail after it has said all that it could read; what is missing shows in the counts.
    if (error instanceof ProbeError) return error.output;
    throw error;
  });
  return text
    .split("\n")
    .filter((line) => /^(-?\d+|N\/A),/.test(line) && !line.split(",")[1]!.includes("D"))
    .map((line) => (line.startsWith("N") ? null : toMicros(BigInt(line.split(",")[0]!), base)));
}

interface StreamFacts {
  readonly index: number;
  readonly codec_type?: string;
  readonly codec_name?: string;
  readonly width?: number;
  readonly height?: number;
  readonly pix_fmt?: string;
  readonly chroma_location?: string;
  readonly color_range?: string;
  readonly color_space?: string;
  readonly color_transfer?: string;
  readonly color_primaries?: string;
  readonly sample_aspect_ratio?: string;
  readonly time_base?: string;
  readonly nb_frames?: string;
  readonly has_b_frames?: number;
  readonly avg_frame_rate?: string;
  readonly r_frame_rate?: string;
  readonly duration?: string;
  readonly disposition?: { readonly attached_pic?: number };
  readonly side_data_list?: readonly { readonly displaymatrix?: string }[];
}

interface FormatFacts {
  readonly format_name?: string;
  readonly duration?: string;
}

/** Positions in 1/256 of the luma grid; nothing where the file does not say, which both versions of swscale take as centred. */
function chromaOf(format: string, location = "unspecified"): string {
  if (location === "unspecified") return "";
  const across = /^(bottom|top|center)$/.test(location) ? 128 : 0;
  const down = location.startsWith("top") ? 0 : location.startsWith("bottom") ? 256 : 128;
  if (/420|^nv12|^nv21|^p01/.test(format)) return `in_h_chr_pos=${across}:in_v_chr_pos=${down}`;
  return /42[12]|^nv16|^y21/.test(format) ? `in_h_chr_pos=${across}` : "";
}

/** "128:117" or "1/19200"; 0/1 where nothing is said. */
function rational(text: string | undefined): Rational {
  const [num, den] = (text ?? "").split(/[:/]/).map(Number);
  return num && den && den > 0 ? { num, den } : { num: 0, den: 1 };
}

/** The nine numbers of ffprobe's dump of a display matrix, whose lines begin with an eight-digit row number. */
function numbers(dump: string): number[] {
  return dump
    .split("\n")
    .flatMap((line) => line.replace(/^\d{8}:/, "").split(/\s+/))
    .filter(Boolean)
    .map(Number);
}
