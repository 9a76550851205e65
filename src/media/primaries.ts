/** A 3 × 3 matrix, row by row. */
export type Rows = readonly number[];

/** x and y of red, green, blue and white (H.273, table 2), by ffmpeg's names. */
export const PRIMARIES: Readonly<Record<string, readonly number[]>> = {
  bt709: [0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329],
  film: [0.681, 0.319, 0.243, 0.692, 0.145, 0.049, 0.31, 0.316],
  bt2020: [0.708, 0.292, 0.17, 0.797, 0.131, 0.046, 0.3127, 0.329],
  smpte428: [1, 0, 0, 1, 0, 0, 1 / 3, 1 / 3],
  smpte431: [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.314, 0.351],
  smpte432: [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329],
  ebu3213: [0.63, 0.34, 0.295, 0.605, 0.155, 0.077, 0.3127, 0.329],
};

/** Linear RGB of one set of primaries → of another, white to white (Bradford). */
export function gamutMatrix(from: string, to: string): Rows {
  if (from === to) return [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const [a, b] = [PRIMARIES[from]!, PRIMARIES[to]!];
  return multiply(inverse(toXyz(b)), multiply(adaptation(whiteOf(a), whiteOf(b)), toXyz(a)));
}

export function multiply(a: Rows, b: Rows): Rows {
  return Array.from({ length: 9 }, (_, at) => {
    const [row, column] = [Math.floor(at / 3) * 3, at % 3];
    return a[row]! * b[column]! + a[row + 1]! * b[column + 3]! + a[row + 2]! * b[column + 6]!;
  });
}

const xyzOf = (x: number, y: number): number[] => (y === 0 ? [x, 0, 1 - x] : [x / y, 1, (1 - x - y) / y]);
const whiteOf = (primaries: readonly number[]): number[] => xyzOf(primaries[6]!, primaries[7]!);

/** RGB → XYZ, so that equal parts of all three are white. */
function toXyz(primaries: readonly number[]): Rows {
  const columns = [0, 2, 4].map((at) => xyzOf(primaries[at]!, primaries[at + 1]!));
  const rows = [0, 1, 2].flatMap((k) => columns.map((column) => column[k]!));
  const parts = apply(inverse(rows), whiteOf(primaries));
  return rows.map((value, at) => value * parts[at % 3]!);
}

const BRADFORD: Rows = [0.8951, 0.2664, -0.1614, -0.7502, 1.7135, 0.0367, 0.0389, -0.0685, 1.0296];

function adaptation(from: readonly number[], to: readonly number[]): Rows {
  const [a, b] = [apply(BRADFORD, from), apply(BRADFORD, to)];
  const scale = [b[0]! / a[0]!, 0, 0, 0, b[1]! / a[1]!, 0, 0, 0, b[2]! / a[2]!];
  return multiply(inverse(BRADFORD), multiply(scale, BRADFORD));
}

function apply(m: Rows, [x, y, z]: readonly number[]): number[] {
  return [0, 3, 6].map((at) => m[at]! * x! + m[at + 1]! * y! + m[at + 2]! * z!);
}

function inverse(m: Rows): Rows {
  const [a, b, c, d, e, f, g, h, i] = m as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return [
    ...[e * i - f * h, c * h - b * i, b * f - c * e],
    ...[f * g - d * i, a * i - c * g, c * d - a * f],
    ...[d * h - e * g, b * g - a * h, a * e - b * d],
  ].map((value) => value / det);
}
