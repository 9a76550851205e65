import type { Probe } from "./types.ts";

/**
 * Containers that may be opened, and raw streams. A playlist (HLS, DASH, concat, SDP) or a picture sequence names other files or
 * addresses, so none is on the list: what is decoded is the file that was named and nothing else.
 */
export const CONTAINERS: readonly string[] = [
  "3gp",
  "asf",
  "avi",
  "dv",
  "flv",
  "h264",
  "hevc",
  "ivf",
  "m4v",
  "matroska",
  "mov",
  "mp4",
  "mpeg",
  "mpegts",
  "mpegvideo",
  "mxf",
  "nut",
  "ogg",
  "rm",
  "webm",
  "yuv4mpegpipe",
];

/** Those of {@link CONTAINERS} that are bare streams of pictures without times. */
export const RAW_STREAMS: ReadonlySet<string> = new Set(["h264", "hevc", "m4v", "mpegvideo"]);

/**
 * Frames a second of a raw stream, by which its pictures get their times: what the stream states, or 25 where it states nothing,
 * or nothing that a camera does. Undefined for what has times.
 */
export function rawRate({ container, fps }: Pick<Probe, "container" | "fps">): number | undefined {
  if (!RAW_STREAMS.has(container)) return undefined;
  return fps !== null && fps >= 1 && fps <= 240 ? fps : 25;
}

/** The warning of a video whose times come from {@link rawRate}. */
export function rawWarning(rate: number): string {
  return `It is a raw stream without times: its frames are taken to come at ${Number(rate.toFixed(3))} a second.`;
}

/** File name endings that a folder is searched for. A file that is named itself may have any. */
export const VIDEO_EXTENSIONS: ReadonlySet<string> = endings(
  "264 265 3g2 3gp 3gpp asf avc avi dif divx dv evo f4v flv h264 h265 hevc insv ivf",
  "m1v m2p m2t m2ts m2v m4v mk3d mkv mov mp4 mp4v mpe mpeg mpg mpv mts mxf nut ogm ogv qt rm rmvb tod tp trp ts vob webm wmv xvid y4m",
);

/** Endings of videos, and of what has moving pictures, that are of no kind in {@link CONTAINERS}. */
export const LIKE_VIDEO_EXTENSIONS: ReadonlySet<string> = endings(
  "amv ari av1 avs bik braw cine dvr-ms gif gxf m3u8 mj2 mjp mjpeg mjpg mpd obu r3d roq smk swf vc1 vvc wtv yuv",
);

/** Frames with more pixels than this are refused: 64 Mi, i.e. 8192 × 8192. */
export const MAX_PIXELS = 64 * 1024 * 1024;

function endings(...lists: string[]): ReadonlySet<string> {
  return new Set(lists.flatMap((list) => list.split(" ")).map((name) => `.${name}`));
}
