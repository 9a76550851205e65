import fc from "fast-check";
import { expect, test } from "vitest";
import { type Motion, motion } from "../../src/vision/kalman.ts";

type M = number[][];
const times = (a: M, b: M): M => a.map((row) => b[0]!.map((_, j) => row.reduce((s, v, k) => s + v * b[k]![j]!, 0)));
const plus = (a: M, b: M): M => a.map((row, i) => row.map((v, j) => v + b[i]![j]!));
const turned = (a: M): M => a[0]!.map((_, j) => a.map((row) => row[j]!));

/** The textbook's matrices. */
function predictByMatrices(m: Motion, dt: number, sx: number, sv: number): { x: M; p: M } {
  const f = [
    [1, dt],
    [0, 1],
  ];
  const q = [
    [sx * sx * dt, 0],
    [0, sv * sv * dt],
  ];
  return { x: times(f, [[m.x], [m.v]]), p: plus(times(times(f, covariance(m)), turned(f)), q) };
}
function correctByMatrices(m: Motion, z: number, sz: number): { x: M; p: M } {
  const h = [[1, 0]];
  const p = covariance(m);
  const s = times(times(h, p), turned(h))[0]![0]! + sz * sz;
  const k = times(p, turned(h)).map((row) => row.map((v) => v / s));
  const x = plus(
    [[m.x], [m.v]],
    k.map((row) => row.map((v) => v * (z - m.x))),
  );
  const rest = plus(
    [
      [1, 0],
      [0, 1],
    ],
    times(k, h).map((row) => row.map((v) => -v)),
  );
  return { x, p: times(rest, p) };
}
const covariance = ({ xx, xv, vv }: Motion): M => [
  [xx, xv],
  [xv, vv],
];

const some = (min: number, max: number) => fc.double({ min, max, noNaN: true });

test("prediction and correction are the matrix form's", () => {
  fc.assert(
    fc.property(
      fc.record({ x: some(-50, 50), sx: some(0.1, 5), sv: some(0.1, 5), z: some(-50, 50), sz: some(0.1, 5) }),
      fc.array(some(0, 4), { minLength: 1, maxLength: 5 }),
      ({ x, sx, sv, z, sz }, steps) => {
        let m = motion.start(x, sx, sv);
        for (const dt of steps) {
          const predicted = predictByMatrices(m, dt, sx / 2, sv / 3);
          m = motion.predict(m, dt, sx / 2, sv / 3);
          near(m, predicted);
          const corrected = correctByMatrices(m, z + dt, sz);
          m = motion.correct(m, z + dt, sz);
          near(m, corrected);
        }
      },
    ),
  );
});

function near(m: Motion, { x, p }: { x: M; p: M }): void {
  expect([m.x, m.v, m.xx, m.xv, m.xv, m.vv]).toEqual([...x.flat(), ...p.flat()].map((v) => expect.closeTo(v, 6)));
}
