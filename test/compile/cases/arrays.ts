import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { anyGiven, dtypes, given, shapes } from "../arbitraries.ts";
import type { Case, Given, Sample } from "../conformance.ts";

/** A case over one tensor and a choice made for its shape. */
function on<T>(
  kernel: string,
  tensors: fc.Arbitrary<Given>,
  choice: (shape: number[]) => fc.Arbitrary<T>,
  run: (x: tf.Tensor, chosen: T) => tf.Tensor | tf.Tensor[],
): Case {
  const samples = tensors.chain((x) =>
    choice(x.shape).map(
      (chosen): Sample => ({
        label: `${kernel} of ${x.dtype}[${x.shape}] with ${JSON.stringify(chosen)}`,
        given: [x],
        run: (t) => run(t!, chosen),
      }),
    ),
  );
  return { kernel, samples };
}

const numbers = (minRank: number, maxRank = 4) =>
  dtypes("float32", "int32").chain((dtype) => anyGiven(dtype, -4, 4, minRank, maxRank));
const floats = (minRank: number, maxRank = 4) => anyGiven("float32", -4, 4, minRank, maxRank);
const truths = (minRank: number) => anyGiven("bool", 0, 1, minRank, 4);
const axisOf = (shape: number[]) => fc.integer({ min: -shape.length, max: shape.length - 1 });
const axesOf = (shape: number[]) => fc.tuple(fc.subarray(shape.map((_, i) => i)), fc.boolean());
const permOf = (shape: number[]) =>
  fc.shuffledSubarray(
    shape.map((_, i) => i),
    { minLength: shape.length },
  );
const each = <T>(shape: number[], one: (length: number, axis: number) => fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.tuple(...shape.map(one)) as unknown as fc.Arbitrary<T[]>;
const padsOf = (shape: number[], most: (length: number) => number) =>
  each(shape, (length) => fc.tuple(fc.nat(most(length)), fc.nat(most(length))));
const distinct = (shape: number[]): Given => {
  const length = shape.reduce((a, b) => a * b, 1);
  // 37 and 64 have no common factor: every value comes once.
  return { shape, dtype: "float32", data: Array.from({ length }, (_, i) => (i * 37) % 64) };
};
const images = fc.tuple(
  fc.integer({ min: 1, max: 2 }),
  fc.integer({ min: 1, max: 6 }),
  fc.integer({ min: 1, max: 6 }),
  fc.integer({ min: 1, max: 3 }),
);
const reducer = (
  kernel: string,
  op: (x: tf.Tensor, axes: number[], keep: boolean) => tf.Tensor,
  tensors = numbers(1),
) => on(kernel, tensors, axesOf, (x, [axes, keep]) => op(x, axes, keep));

export const reduceCases: Case[] = [
  reducer("Sum", tf.sum),
  reducer(
    "Prod",
    tf.prod,
    dtypes("float32", "int32").chain((dtype) => anyGiven(dtype, 1, 2, 1, 3)),
  ),
  reducer("Mean", tf.mean),
  reducer("Max", tf.max),
  reducer("Min", tf.min),
  reducer("All", tf.all, truths(1)),
  reducer("Any", tf.any, truths(1)),
  on("ArgMax", shapes(1, 3).map(distinct), axisOf, (x, axis) => tf.argMax(x, axis)),
  on("ArgMin", shapes(1, 3).map(distinct), axisOf, (x, axis) => tf.argMin(x, axis)),
  on(
    "Softmax",
    floats(1),
    () => fc.constant(-1),
    (x, axis) => tf.softmax(x, axis),
  ),
  on(
    "Cumsum",
    numbers(1),
    (s) => fc.tuple(fc.nat(s.length - 1), fc.boolean(), fc.boolean()),
    (x, [a, e, r]) => tf.cumsum(x, a, e, r),
  ),
  on(
    "Cumprod",
    numbers(1, 3),
    (s) => fc.tuple(fc.nat(s.length - 1), fc.boolean(), fc.boolean()),
    (x, [a, e, r]) => tf.cumprod(x, a, e, r),
  ),
];

export const shapeCases: Case[] = [
  on(
    "Reshape",
    numbers(0),
    (s) => permOf(s),
    (x, perm) =>
      tf.reshape(
        x,
        perm.map((axis) => x.shape[axis]!),
      ),
  ),
  on(
    "ExpandDims",
    numbers(0, 3),
    (s) => fc.integer({ min: -1, max: s.length }),
    (x, axis) => tf.expandDims(x, axis),
  ),
  on("Transpose", numbers(1), permOf, (x, perm) => tf.transpose(x, perm)),
  {
    kernel: "Concat",
    samples: fc.tuple(shapes(1, 4), dtypes("float32", "int32", "bool")).chain(([shape, dtype]) =>
      fc
        .tuple(axisOf(shape), fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 3 }))
        .chain(([axis, sizes]) =>
          fc.tuple(...sizes.map((size) => given(shape.with(axis, size), dtype))).map(
            (list): Sample => ({
              label: `concat [${shape}] on ${axis}`,
              given: list,
              run: (...t) => tf.concat(t, axis),
            }),
          ),
        ),
    ),
  },
  on(
    "Slice",
    numbers(1),
    (s) =>
      each(s, (length) =>
        fc.nat(length - 1).chain((begin) => fc.tuple(fc.constant(begin), fc.integer({ min: 1, max: length - begin }))),
      ),
    (x, parts) =>
      tf.slice(
        x,
        parts.map(([begin]) => begin),
        parts.map(([, size]) => size),
      ),
  ),
  // Steps together with a shrunk axis are left out: the reference then reads from the wrong place.
  on(
    "StridedSlice",
    numbers(1),
    (s) =>
      fc.tuple(
        each(s, (length) =>
          fc.tuple(fc.nat(length - 1), fc.integer({ min: -1, max: length }), fc.constantFrom(1, 2, -1, -2)),
        ),
        fc.nat(7),
        fc.nat(7),
        fc.nat(s.length > 1 ? 1 : 0),
      ),
    (x, [parts, beginMask, endMask, shrink]) =>
      tf.stridedSlice(
        x,
        parts.map(([a]) => a),
        parts.map(([, b]) => b),
        parts.map(([, , c]) => (shrink ? 1 : c)),
        beginMask & ~shrink,
        endMask,
        0,
        0,
        shrink,
      ),
  ),
  on("SplitV", numbers(1), axisOf, (x, axis) =>
    tf.split(x, x.shape.at(axis)! > 1 ? [1, x.shape.at(axis)! - 1] : [1], axis),
  ),
  {
    kernel: "Pack",
    samples: shapes(0, 3).chain((shape) =>
      fc.tuple(fc.integer({ min: 0, max: shape.length }), fc.array(given(shape), { minLength: 1, maxLength: 3 })).map(
        ([axis, list]): Sample => ({
          label: `stack [${shape}] on ${axis}`,
          given: list,
          run: (...t) => tf.stack(t, axis),
        }),
      ),
    ),
  },
  on("Unpack", numbers(1), axisOf, (x, axis) => tf.unstack(x, axis)),
  on(
    "Tile",
    numbers(1),
    (s) => each(s, () => fc.integer({ min: 1, max: 3 })),
    (x, reps) => tf.tile(x, reps),
  ),
  on(
    "Tile",
    numbers(1, 3),
    () => fc.integer({ min: 1, max: 3 }),
    (x, n) => tf.broadcastTo(tf.reshape(x, [1, ...x.shape]), [n, ...x.shape]),
  ),
  on(
    "PadV2",
    numbers(1),
    (s) =>
      fc.tuple(
        padsOf(s, () => 2),
        fc.integer({ min: -2, max: 2 }),
      ),
    (x, [pads, value]) => tf.pad(x, pads, value),
  ),
  on(
    "MirrorPad",
    numbers(1),
    (s) => padsOf(s, (length) => length - 1),
    (x, pads) => tf.mirrorPad(x, pads, "reflect"),
  ),
  on(
    "MirrorPad",
    numbers(1),
    (s) => padsOf(s, (length) => length),
    (x, pads) => tf.mirrorPad(x, pads, "symmetric"),
  ),
  on("Reverse", numbers(1), axesOf, (x, [axes]) => tf.reverse(x, axes)),
  on(
    "FlipLeftRight",
    images.chain((shape) => given(shape)),
    () => fc.constant(0),
    (x) => tf.image.flipLeftRight(x as tf.Tensor4D),
  ),
  on(
    "DepthToSpace",
    images.chain(([n, h, w, c]) => given([n, h, w, 4 * c])),
    () => fc.constant(2),
    (x, block) => tf.depthToSpace(x as tf.Tensor4D, block),
  ),
  on(
    "BatchToSpaceND",
    images.chain(([n, h, w, c]) => given([4 * n, h, w, c])),
    () => fc.tuple(fc.nat(1), fc.nat(0)),
    (x, [a, b]) =>
      tf.batchToSpaceND(
        x,
        [2, 2],
        [
          [a, b],
          [b, a],
        ],
      ),
  ),
  on(
    "SpaceToBatchND",
    images.chain(([n, h, w, c]) => given([n, 2 * h, 3 * w, c])),
    () => fc.constantFrom(0, 2),
    (x, more) =>
      tf.spaceToBatchND(
        x,
        [2, 3],
        [
          [more, 0],
          [0, 3],
        ],
      ),
  ),
];

const picks = (length: number) => shapes(0, 2, 3).chain((shape) => given(shape, "int32", 0, length - 1));

export const gatherCases: Case[] = [
  {
    kernel: "GatherV2",
    samples: numbers(1, 3).chain((x) =>
      axisOf(x.shape).chain((axis) =>
        picks(x.shape.at(axis)!).map(
          (at): Sample => ({
            label: `gather [${x.shape}] on ${axis}, [${at.shape}]`,
            given: [x, at],
            run: (t, i) => tf.gather(t!, i!, axis),
          }),
        ),
      ),
    ),
  },
  {
    kernel: "GatherV2",
    samples: shapes(2, 4).chain((shape) =>
      fc.integer({ min: 1, max: shape.length - 1 }).chain((axis) =>
        fc.tuple(given(shape), given([shape[0]!, 3], "int32", 0, shape[axis]! - 1)).map(
          (list): Sample => ({
            label: `gather [${shape}] on ${axis}, one batch axis`,
            given: list,
            run: (t, i) => tf.gather(t!, i as tf.Tensor2D, axis, 1),
          }),
        ),
      ),
    ),
  },
  {
    kernel: "GatherNd",
    samples: fc.tuple(numbers(2, 3), fc.integer({ min: 1, max: 3 })).chain(([x, n]) => {
      const least = Math.min(x.shape[0]!, x.shape[1]!);
      return given([n, 2], "int32", 0, least - 1).map(
        (at): Sample => ({ label: `gatherND [${x.shape}]`, given: [x, at], run: (t, i) => tf.gatherND(t!, i!) }),
      );
    }),
  },
  {
    kernel: "ScatterNd",
    samples: fc.tuple(given([5, 1], "int32", 0, 3), given([5, 2])).map(
      ([at, x]): Sample => ({
        label: "scatterND with repeats",
        given: [at, x],
        run: (i, u) => tf.scatterND(i!, u!, [4, 2]),
      }),
    ),
  },
  {
    kernel: "TensorScatterUpdate",
    samples: fc.tuple(given([4, 3]), given([2, 3])).map(
      ([x, u]): Sample => ({
        label: "tensorScatterUpdate",
        given: [x, { shape: [2, 1], dtype: "int32", data: [3, 1] }, u],
        run: (t, i, v) => tf.tensorScatterUpdate(t!, i!, v!),
      }),
    ),
  },
  {
    kernel: "UnsortedSegmentSum",
    samples: fc.tuple(given([5, 3]), given([5], "int32", 0, 3)).map(
      ([x, ids]): Sample => ({
        label: "unsortedSegmentSum",
        given: [x, ids],
        run: (t, i) => tf.unsortedSegmentSum(t!, i as tf.Tensor1D, 3),
      }),
    ),
  },
  {
    kernel: "OneHot",
    samples: fc.tuple(anyGiven("int32", -1, 4, 1, 3), fc.integer({ min: 2, max: 5 })).map(
      ([x, depth]): Sample => ({
        label: `oneHot [${x.shape}] of ${depth}`,
        given: [x],
        run: (t) => tf.oneHot(t!, depth, 2, -1),
      }),
    ),
  },
  {
    kernel: "TopK",
    samples: fc.tuple(numbers(1, 3), fc.nat(3)).map(
      ([x, k]): Sample => ({
        label: `topk [${x.shape}]`,
        given: [x],
        run: (t) => Object.values(tf.topk(t!, Math.min(k + 1, x.shape.at(-1)!))),
      }),
    ),
  },
];
