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

/** File names that a folder is searched for, lower case. */
export const VIDEO_EXTENSIONS: ReadonlySet<string> = new Set(
  "3g2 3gp asf avi flv ivf m2ts m4v mkv mov mp4 mpeg mpg mts mxf nut ogm ogv rm rmvb ts vob webm wmv"
    .split(" ")
    .map((extension) => `.${extension}`),
);

/** Frames with more pixels than this are refused: 64 Mi, i.e. 8192 × 8192. */
export const MAX_PIXELS = 64 * 1024 * 1024;
