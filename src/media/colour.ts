import { gamutMatrix, PRIMARIES, type Rows } from "./primaries.ts";

/** What a stream says of its colours, in ffmpeg's names (ITU-T H.273); `unknown` where it says nothing. */
export interface ColourTags {
  readonly matrix: string;
  readonly transfer: string;
  readonly primaries: string;
  readonly full: boolean;
  /** Samples are R, G and B, not luma and chroma. */
  readonly rgb: boolean;
  readonly width: number;
  readonly height: number;
}

export interface ColourPlan {
  /** swscale turns luma and chroma into RGB by this matrix; undefined: by what the frame says. */
  readonly matrix: "bt709" | "smpte170m" | "bt2020nc" | undefined;
  /** Colours that swscale does not know: it gives planes of 16 bits, and {@link toSdr} does the rest. */
  readonly map: ColourMap | undefined;
  readonly warnings: readonly string[];
}

/** From three planes of 16 bits (Y, Cb, Cr; or G, B, R) to SDR RGB. */
export interface ColourMap {
  /** 16-bit samples → the encoded signals R'G'B' (ICtCp: L'M'S'): rows of a, b, c, offset. */
  readonly decode: readonly number[];
  /** 4,096 signals of 0..1 → light; 1 is the white of SDR. */
  readonly light: Float32Array;
  /** L, M, S → R, G, B, for ICtCp. */
  readonly mix: Rows | undefined;
  /** HLG: light of the scene, which the display's power over its luminance follows (BT.2100 table 5). */
  readonly scene: boolean;
  /** Gains by the largest of R, G and B; undefined where nothing is brighter than white. */
  readonly tone: Float32Array | undefined;
  /** R, G, B of the stream's primaries → BT.709's. */
  readonly gamut: Rows;
}

/**
 * How frames with these tags become 8-bit SDR RGB (BT.709's primaries, BT.1886's curve), the same for every decoder.
 *
 * What has SDR's curves and primaries near BT.709's goes through swscale as it is. Where the matrix is not said it is
 * BT.709's from 1280 columns or 720 lines on and BT.601's below, as players take it. HDR is tone-mapped: PQ and HLG become light
 * of a display of 1,000 cd/m² (BT.2100), and BT.2390's curve (5.4.1) brings that to the 203 cd/m² that BT.2408 gives SDR's white.
 */
export function planColour(tags: ColourTags): ColourPlan {
  const { transfer, rgb } = tags;
  const warnings: string[] = [];
  const hdr = HDR[transfer];
  const odd = transfer === "linear" || transfer.startsWith("log") || transfer === "smpte428";
  const wide = !NEAR_709.has(tags.primaries) && PRIMARIES[tags.primaries] !== undefined;
  let matrix = rgb ? "gbr" : tags.matrix;
  const nearest = NEAREST[matrix];
  if (matrix === "unknown" || matrix === "reserved" || (matrix === "gbr" && !rgb)) matrix = guess(tags);
  if (nearest !== undefined) {
    matrix = nearest === "primaries" ? (tags.primaries === "bt2020" ? "bt2020nc" : guess(tags)) : nearest;
    warnings.push(`Its colours are coded as ${tags.matrix}, which is decoded as ${matrix}, the nearest that is known.`);
  }
  if (hdr) warnings.push(`It is HDR video (${hdr.name}); its colours are tone-mapped to SDR.`);
  else if (odd)
    warnings.push(`Its brightness is coded as ${transfer}, which is brought to SDR without a look of its own.`);
  const special = hdr !== undefined || odd || wide || ROWS[matrix] === undefined;
  if (!special) {
    const said = rgb || matrix === tags.matrix;
    return { matrix: said ? undefined : (matrix as "bt709"), map: undefined, warnings };
  }
  const ictcp = matrix === "ictcp";
  const signal = ictcp ? (transfer === "arib-std-b67" ? ICTCP_HLG : ICTCP_PQ) : (ROWS[matrix] ?? YCGCO);
  const primaries = wide ? tags.primaries : hdr && tags.primaries === "unknown" ? "bt2020" : "bt709";
  return {
    matrix: undefined,
    warnings,
    map: {
      decode: decodeRows(signal, tags.full || rgb, rgb),
      light: lightOf(transfer),
      mix: ictcp ? LMS_TO_RGB : undefined,
      scene: transfer === "arib-std-b67",
      tone: hdr ? toneGains() : undefined,
      gamut: gamutMatrix(primaries, "bt709"),
    },
  };
}

/** Writes RGB of `width` × `height` pixels to `out`, from planes with `stride` samples a row. */
export function toSdr(
  planes: readonly [Uint16Array, Uint16Array, Uint16Array],
  strides: readonly [number, number, number],
  { width, height }: { readonly width: number; readonly height: number },
  map: ColourMap,
  out: Uint8Array,
): void {
  const { light, mix, scene, tone } = map;
  const [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = map.decode as unknown as Twelve;
  const [g00, g01, g02, g10, g11, g12, g20, g21, g22] = map.gamut as unknown as Nine;
  const [m00, m01, m02, m10, m11, m12, m20, m21, m22] = (mix ?? map.gamut) as unknown as Nine;
  const [encoded, display] = [encodeTable(), displayTable()];
  const top = STEPS - 1;
  const [p, q, r] = planes;
  let to = 0;
  for (let y = 0; y < height; y++) {
    let [i, j, k] = [y * strides[0], y * strides[1], y * strides[2]];
    for (let x = 0; x < width; x++, to += 3) {
      const [u, v, w] = [p[i++]!, q[j++]!, r[k++]!];
      const s = a0 * u + a1 * v + a2 * w + a3;
      const t = b0 * u + b1 * v + b2 * w + b3;
      const z = c0 * u + c1 * v + c2 * w + c3;
      let red = light[s <= 0 ? 0 : s >= top ? top : (s + 0.5) | 0]!;
      let green = light[t <= 0 ? 0 : t >= top ? top : (t + 0.5) | 0]!;
      let blue = light[z <= 0 ? 0 : z >= top ? top : (z + 0.5) | 0]!;
      if (mix) {
        const [l, m, n] = [red, green, blue];
        red = Math.max(0, m00 * l + m01 * m + m02 * n);
        green = Math.max(0, m10 * l + m11 * m + m12 * n);
        blue = Math.max(0, m20 * l + m21 * m + m22 * n);
      }
      if (scene) {
        // Light of the scene is 0..1 up to here.
        const luminance = 0.2627 * red + 0.678 * green + 0.0593 * blue;
        const power = display[luminance >= 1 ? LEVELS : (luminance * LEVELS + 0.5) | 0]!;
        red *= power;
        green *= power;
        blue *= power;
      }
      if (tone) {
        const most = (red > green ? (red > blue ? red : blue) : green > blue ? green : blue) * (WHITE / PEAK);
        // What is brighter still keeps its hue.
        const gain = most >= 1 ? tone[top]! / most : tone[(most * top + 0.5) | 0]!;
        red *= gain;
        green *= gain;
        blue *= gain;
      }
      const e = g00 * red + g01 * green + g02 * blue;
      const f = g10 * red + g11 * green + g12 * blue;
      const g = g20 * red + g21 * green + g22 * blue;
      out[to] = encoded[e <= 0 ? 0 : e >= 1 ? LEVELS : (e * LEVELS + 0.5) | 0]!;
      out[to + 1] = encoded[f <= 0 ? 0 : f >= 1 ? LEVELS : (f * LEVELS + 0.5) | 0]!;
      out[to + 2] = encoded[g <= 0 ? 0 : g >= 1 ? LEVELS : (g * LEVELS + 0.5) | 0]!;
    }
  }
}

type Nine = [number, number, number, number, number, number, number, number, number];
type Twelve = [...Nine, number, number, number];

/** Entries of tables by signals, and the last one of those by light. */
const STEPS = 4096;
const LEVELS = 65535;
/** cd/m²: the brightest that HDR is taken to be, and SDR's white within it. */
const PEAK = 1000;
const WHITE = 203;

const HDR: Readonly<Record<string, { name: string }>> = { smpte2084: { name: "PQ" }, "arib-std-b67": { name: "HLG" } };
const NEAR_709 = new Set(["unknown", "reserved", "bt709", "bt470m", "bt470bg", "smpte170m", "smpte240m"]);
/** Matrices that are no matrices, and what is taken instead. */
const NEAREST: Readonly<Record<string, "primaries" | "bt2020nc">> = {
  bt2020c: "bt2020nc",
  smpte2085: "bt2020nc",
  "ipt-c2": "bt2020nc",
  "chroma-derived-nc": "primaries",
  "chroma-derived-c": "primaries",
  "ycgco-re": "primaries",
  "ycgco-ro": "primaries",
};

function guess({ width, height }: ColourTags): "bt709" | "smpte170m" {
  return width >= 1280 || height >= 720 ? "bt709" : "smpte170m";
}

/** Y'CbCr → R'G'B' by the weights of red and blue (H.273, 8.3). */
function byWeights(red: number, blue: number): Rows {
  const green = 1 - red - blue;
  const [cr, cb] = [2 * (1 - red), 2 * (1 - blue)];
  return [1, 0, cr, 1, (-blue * cb) / green, (-red * cr) / green, 1, cb, 0];
}

const YCGCO: Rows = [1, -1, 1, 1, 1, 0, 1, -1, -1];
/** Planes of RGB are G, B, R. */
const GBR: Rows = [0, 0, 1, 1, 0, 0, 0, 1, 0];
const ROWS: Readonly<Record<string, Rows>> = {
  gbr: GBR,
  bt709: byWeights(0.2126, 0.0722),
  fcc: byWeights(0.3, 0.11),
  bt470bg: byWeights(0.299, 0.114),
  smpte170m: byWeights(0.299, 0.114),
  smpte240m: byWeights(0.212, 0.087),
  bt2020nc: byWeights(0.2627, 0.0593),
};
/** BT.2100, table 7: inverses of the matrices there. */
const ICTCP_PQ: Rows = [1, 0.00860904, 0.11102963, 1, -0.00860904, -0.11102963, 1, 0.56003134, -0.32062717];
const ICTCP_HLG: Rows = [1, 0.01571858, 0.20958107, 1, -0.01571858, -0.20958107, 1, 1.02127108, -0.60527449];
const LMS_TO_RGB: Rows = [
  3.43660669, -2.50645212, 0.06984542, -0.7913296, 1.98360045, -0.1922709, -0.0259499, -0.09891371, 1.12486361,
];

/** Scales and offsets of 16-bit samples folded into a matrix whose results are steps of the table of light. */
function decodeRows(rows: Rows, full: boolean, rgb: boolean): number[] {
  const top = STEPS - 1;
  const luma = full ? [1 / 65535, 0] : [1 / (219 * 256), -16 / 219];
  const chroma = full ? [1 / 65535, -32768 / 65535] : [1 / (224 * 256), -128 / 224];
  const of = [luma, rgb ? luma : chroma, rgb ? luma : chroma];
  return [0, 3, 6].flatMap((at) => {
    const weights = [0, 1, 2].map((k) => rows[at + k]! * of[k]![0]! * top);
    const offset = [0, 1, 2].reduce((sum, k) => sum + rows[at + k]! * of[k]![1]! * top, 0);
    return [...weights, offset];
  });
}

/** Signals → light, where 1 is SDR's white; for HLG the scene's, 0..1. */
function lightOf(transfer: string): Float32Array {
  const curve = CURVES[transfer] ?? ((v: number) => v ** 2.4);
  return Float32Array.from({ length: STEPS }, (_, k) => curve(k / (STEPS - 1)));
}

const CURVES: Readonly<Record<string, (signal: number) => number>> = {
  smpte2084: (v) => pqToLight(v) / WHITE,
  // BT.2100, table 5: the inverse of HLG's OETF.
  "arib-std-b67": (v) => (v <= 0.5 ? v ** 2 / 3 : (Math.exp((v - 0.55991073) / 0.17883277) + 0.28466892) / 12),
  linear: (v) => v,
  log100: (v) => (v <= 0 ? 0 : 10 ** (2 * (v - 1))),
  log316: (v) => (v <= 0 ? 0 : 10 ** (2.5 * (v - 1))),
  smpte428: (v) => (52.37 / 48) * v ** 2.6,
  bt470m: (v) => v ** 2.2,
  bt470bg: (v) => v ** 2.8,
  "iec61966-2-1": (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4),
};

const [M1, M2, C1, C2, C3] = [2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128];

/** PQ's signal → cd/m² (SMPTE ST 2084). */
export function pqToLight(signal: number): number {
  const v = Math.max(0, signal) ** (1 / M2);
  return 10_000 * (Math.max(0, v - C1) / (C2 - C3 * v)) ** (1 / M1);
}

/** cd/m² → PQ's signal. */
export function lightToPq(light: number): number {
  const y = (Math.max(0, light) / 10_000) ** M1;
  return ((C1 + C2 * y) / (1 + C3 * y)) ** M2;
}

/** BT.2390, 5.4.1, for blacks of 0: light of a display of `PEAK` → of one of `WHITE`, both cd/m². */
export function toneCurve(light: number): number {
  const source = lightToPq(PEAK);
  const most = lightToPq(WHITE) / source;
  const knee = 1.5 * most - 0.5;
  const signal = Math.min(1, lightToPq(light) / source);
  if (signal < knee) return light;
  const t = (signal - knee) / (1 - knee);
  const bent =
    (2 * t ** 3 - 3 * t ** 2 + 1) * knee + (t ** 3 - 2 * t ** 2 + t) * (1 - knee) + (-2 * t ** 3 + 3 * t ** 2) * most;
  return pqToLight(bent * source);
}

/** Gains by light, 0..`PEAK`. */
function toneGains(): Float32Array {
  return Float32Array.from({ length: STEPS }, (_, k) => {
    const light = (PEAK * k) / (STEPS - 1);
    return light === 0 ? 1 : toneCurve(light) / light;
  });
}

let encoded: Uint8Array | undefined;

/** BT.1886: light → 0..255. */
function encodeTable(): Uint8Array {
  encoded ??= Uint8Array.from({ length: LEVELS + 1 }, (_, k) => Math.round(255 * (k / LEVELS) ** (1 / 2.4)));
  return encoded;
}

let display: Float32Array | undefined;

/** HLG's OOTF (BT.2100, table 5): by the scene's luminance, what its light becomes on the display: α · Y^(γ - 1), γ = 1.2. */
function displayTable(): Float32Array {
  display ??= Float32Array.from({ length: LEVELS + 1 }, (_, k) => (PEAK / WHITE) * (k / LEVELS) ** 0.2);
  return display;
}
