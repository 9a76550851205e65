/**
 * Containers that may be opened. A playlist (HLS, DASH, concat, SDP) or a picture sequence names other files or addresses,
 * so none is on the list: what is decoded is the file that was named and nothing else.
 */
export const CONTAINERS: readonly string[] = [
  "3gp",
  "asf",
  "avi",
  "flv",
  "ivf",
  "matroska",
  "mov",
  "mp4",
  "mpeg",
  "mpegts",
  "mxf",
  "nut",
  "ogg",
  "rm",
  "webm",
];

/** Frames with more pixels than this are refused: 64 Mi, i.e. 8192 × 8192. */
export const MAX_PIXELS = 64 * 1024 * 1024;
