/** ffmpeg's names of H.273's matrices, by number; holes are reserved or say nothing. */
export const MATRIX_NAMES: readonly (string | undefined)[] = [
  ...["gbr", "bt709", undefined, undefined, "fcc", "bt470bg", "smpte170m", "smpte240m", "ycgco", "bt2020nc", "bt2020c"],
  ...["smpte2085", "chroma-derived-nc", "chroma-derived-c", "ictcp", "ipt-c2", "ycgco-re", "ycgco-ro"],
];

/** The same of transfer characteristics. */
export const TRANSFER_NAMES: readonly (string | undefined)[] = [
  ...[undefined, "bt709", undefined, undefined, "bt470m", "bt470bg", "smpte170m", "smpte240m", "linear", "log100"],
  ...["log316", "iec61966-2-4", "bt1361e", "iec61966-2-1", "bt2020-10", "bt2020-12", "smpte2084", "smpte428"],
  "arib-std-b67",
];

/** The same of primaries. */
export const PRIMARIES_NAMES: readonly (string | undefined)[] = [
  ...[undefined, "bt709", undefined, undefined, "bt470m", "bt470bg", "smpte170m", "smpte240m", "film", "bt2020"],
  ...["smpte428", "smpte431", "smpte432", undefined, undefined, undefined, undefined, undefined, undefined, undefined],
  ...[undefined, undefined, "ebu3213"],
];

/** Whether samples of a pixel format are R, G and B. */
export function isRgb(format: string): boolean {
  return /^(gbr|rgb|bgr|argb|abgr|0rgb|0bgr|pal8|x2rgb|x2bgr|bayer|xyz)/.test(format);
}
