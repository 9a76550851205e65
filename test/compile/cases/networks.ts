import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { padsOf } from "../../../src/compile/kernels/windows.ts";
import { instanceNorm } from "../../../src/nn/layers.ts";
import { dtypes, given } from "../arbitraries.ts";
import type { Case, Given, Sample } from "../conformance.ts";

const small = (min: number, max: number) => fc.integer({ min, max });
type Pad = "same" | "valid" | number;

/** Everything a convolution can be given; sizes where nothing would come out are left out. */
const windows = fc
  .record({
    batch: small(1, 2),
    height: small(3, 8),
    width: small(3, 7),
    cin: small(1, 3),
    cout: small(1, 4),
    kh: small(1, 4),
    kw: small(1, 3),
    stride: small(1, 3),
    dilation: small(1, 2),
    pad: fc.constantFrom<Pad>("same", "valid", 0, 1),
    rounding: fc.constantFrom("floor" as const, "ceil" as const, "round" as const),
    fixed: fc.boolean(),
    activation: fc.constantFrom("linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu", "prelu"),
  })
  .map((w) => (w.stride > 1 ? { ...w, dilation: 1 } : w))
  .filter((w) => Math.min(w.height, w.width) >= (Math.max(w.kh, w.kw) - 1) * w.dilation + 1);
type Window = typeof windows extends fc.Arbitrary<infer W> ? W : never;
const rounding = (w: Window) => (typeof w.pad === "number" ? w.rounding : undefined);
const say = (w: Window) => JSON.stringify(w);
const act = (w: Window) => w.activation as tf.fused.Activation;
const fixed = (w: Window, ...positions: number[]) => (w.fixed ? positions : []);
const image = (w: Window) => given([w.batch, w.height, w.width, w.cin]);
const filter = (w: Window) => given([w.kh, w.kw, w.cin, w.cout]);

/** ONNX has no pooling windows that lie in the padding altogether. */
function windowsTouchTheImage(w: Window): boolean {
  const info = tf.backend_util.computePool2DInfo(
    [1, w.height, w.width, 1],
    [w.kh, w.kw],
    w.stride,
    1,
    w.pad,
    rounding(w),
  );
  return padsOf(info).every((pad, side) => pad < (side % 2 === 0 ? w.kh : w.kw));
}

export const convCases: Case[] = [
  {
    kernel: "Conv2D",
    runs: 40,
    samples: windows.chain((w) =>
      fc.tuple(image(w), filter(w)).map(
        (list): Sample => ({
          label: say(w),
          given: list,
          constants: fixed(w, 1),
          run: (x, f) =>
            tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, w.stride, w.pad, "NHWC", w.dilation, rounding(w)),
        }),
      ),
    ),
  },
  {
    kernel: "FusedConv2D",
    runs: 40,
    samples: windows.chain((w) =>
      fc.tuple(image(w), filter(w), given([w.cout]), given([w.cout])).map(
        (list): Sample => ({
          label: say(w),
          given: list,
          constants: fixed(w, 1, 2, 3),
          run: (x, f, bias, alpha) =>
            tf.fused.conv2d({
              x: x as tf.Tensor4D,
              filter: f as tf.Tensor4D,
              strides: w.stride,
              pad: w.pad,
              dilations: w.dilation,
              bias: bias!,
              activation: act(w),
              ...(w.activation === "prelu" && { preluActivationWeights: alpha! }),
              leakyreluAlpha: 0.1,
            }),
        }),
      ),
    ),
  },
  {
    kernel: "DepthwiseConv2dNative",
    runs: 40,
    samples: windows.chain((w) =>
      fc.tuple(image(w), given([w.kh, w.kw, w.cin, 1 + (w.cout % 2)])).map(
        (list): Sample => ({
          label: say(w),
          given: list,
          constants: fixed(w, 1),
          run: (x, f) =>
            tf.depthwiseConv2d(x as tf.Tensor4D, f as tf.Tensor4D, w.stride, w.pad, "NHWC", w.dilation, rounding(w)),
        }),
      ),
    ),
  },
  {
    kernel: "FusedDepthwiseConv2D",
    samples: windows.chain((w) =>
      fc.tuple(image(w), given([w.kh, w.kw, w.cin, 1]), given([w.cin])).map(
        (list): Sample => ({
          label: say(w),
          given: list,
          constants: fixed(w, 1, 2),
          run: (x, f, bias) =>
            tf.fused.depthwiseConv2d({
              x: x as tf.Tensor4D,
              filter: f as tf.Tensor4D,
              strides: w.stride,
              pad: w.pad,
              dilations: w.dilation,
              bias: bias!,
              activation: "relu6",
            }),
        }),
      ),
    ),
  },
  {
    kernel: "Conv2DBackpropInput",
    runs: 60,
    samples: windows
      .filter((w) => w.kh >= w.stride && w.kw >= w.stride)
      .chain((w) => {
        const info = tf.backend_util.computeConv2DInfo(
          [w.batch, w.height, w.width, w.cin],
          [w.kh, w.kw, w.cin, w.cout],
          w.stride,
          1,
          w.pad,
        );
        return fc.tuple(given([w.batch, info.outHeight, info.outWidth, w.cout]), filter(w)).map(
          (list): Sample => ({
            label: say(w),
            given: list,
            constants: fixed(w, 1),
            run: (dy, f) =>
              tf.conv2dTranspose(
                dy as tf.Tensor4D,
                f as tf.Tensor4D,
                [w.batch, w.height, w.width, w.cin],
                w.stride,
                w.pad,
              ),
          }),
        );
      }),
  },
  // Many weights for few pixels, as where a network ends.
  ...[true, false].map(
    (forward): Case => ({
      kernel: forward ? "Conv2D" : "Conv2DBackpropInput",
      node: forward ? "Gemm" : "MatMul",
      samples: windows
        .map((w) => ({
          ...w,
          cin: w.cin + 30,
          cout: w.cout + 40,
          height: 3 + (w.height % 4),
          width: 3 + (w.width % 3),
        }))
        .filter((w) => Math.min(w.height, w.width, 4) >= Math.max(w.kh, w.kw) && w.kh * w.kw > 3 && w.dilation === 1)
        .chain((w) => {
          const size: [number, number, number, number] = [w.batch, w.height, w.width, w.cin];
          const info = tf.backend_util.computeConv2DInfo(size, [w.kh, w.kw, w.cin, w.cout], w.stride, 1, w.pad);
          const small = given([w.batch, info.outHeight, info.outWidth, w.cout]);
          return fc.tuple(forward ? given(size) : small, filter(w)).map(
            (list): Sample => ({
              label: say(w),
              given: list,
              run: (x, f) =>
                forward
                  ? tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, w.stride, w.pad)
                  : tf.conv2dTranspose(x as tf.Tensor4D, f as tf.Tensor4D, size, w.stride, w.pad),
            }),
          );
        }),
    }),
  ),
  {
    kernel: "Conv2DBackpropFilter",
    runs: 40,
    samples: fc.tuple(windows, fc.constantFrom(0, 0, 34)).chain(([w, more]) => {
      // More channels than a vector is wide, and few pixels beside them, are computed in other ways.
      const [cin, cout] = [w.cin + (w.fixed ? more : 0), w.cout + more];
      const shape: [number, number, number, number] = [w.kh, w.kw, cin, cout];
      const size: [number, number, number, number] = [w.batch, w.height, w.width, cin];
      const info = tf.backend_util.computeConv2DInfo(size, shape, w.stride, 1, w.pad);
      return fc.tuple(given(size), given([w.batch, info.outHeight, info.outWidth, cout])).map(
        (list): Sample => ({
          label: say({ ...w, cin, cout }),
          given: list,
          run: (x, dy) =>
            tf
              .engine()
              .runKernel(
                "Conv2DBackpropFilter",
                { x: x!, dy: dy! },
                { strides: [w.stride, w.stride], pad: w.pad, dataFormat: "NHWC", filterShape: shape },
              ) as tf.Tensor,
        }),
      );
    }),
  },
  ...(["MaxPool", "AvgPool"] as const).map(
    (kernel): Case => ({
      kernel,
      runs: 40,
      samples: windows.filter(windowsTouchTheImage).chain((w) =>
        image(w).map(
          (x): Sample => ({
            label: say(w),
            given: [x],
            run: (t) =>
              (kernel === "MaxPool" ? tf.maxPool : tf.avgPool)(
                t as tf.Tensor4D,
                [w.kh, w.kw],
                w.stride,
                w.pad,
                rounding(w),
              ),
          }),
        ),
      ),
    }),
  ),
];

const resizes = fc
  .record({ align: fc.boolean(), half: fc.boolean(), height: small(1, 9), width: small(1, 9) })
  .filter((r) => !(r.align && r.half));
const pictures = fc.tuple(small(1, 2), small(1, 6), small(2, 5), small(1, 3));

export const imageCases: Case[] = (["ResizeBilinear", "ResizeNearestNeighbor"] as const).map((kernel) => ({
  kernel,
  runs: 40,
  samples: fc.tuple(pictures, resizes, dtypes("float32", "int32")).chain(([shape, r, dtype]) =>
    given(shape, dtype).map(
      (x): Sample => ({
        label: `${kernel} [${shape}] ${JSON.stringify(r)}`,
        given: [x],
        run: (t) =>
          (kernel === "ResizeBilinear" ? tf.image.resizeBilinear : tf.image.resizeNearestNeighbor)(
            t as tf.Tensor4D,
            [r.height, r.width],
            r.align,
            r.half,
          ),
      }),
    ),
  ),
}));

const matrices = fc.record({
  batch: fc.array(small(1, 3), { maxLength: 2 }),
  n: small(1, 4),
  k: small(1, 5),
  m: small(1, 3),
  left: fc.boolean(),
  right: fc.boolean(),
  fixed: fc.boolean(),
  spread: fc.boolean(),
});

export const matmulCases: Case[] = [
  {
    kernel: "BatchMatMul",
    runs: 40,
    samples: matrices.chain(({ batch, n, k, m, left, right, fixed: constant, spread }) => {
      const other = spread ? batch.map(() => 1) : batch;
      return fc
        .tuple(given([...batch, ...(left ? [k, n] : [n, k])]), given([...other, ...(right ? [m, k] : [k, m])]))
        .map(
          (list): Sample => ({
            label: `matMul [${list[0]!.shape}]${left ? "ᵀ" : ""} [${list[1]!.shape}]${right ? "ᵀ" : ""}`,
            given: list,
            constants: constant ? [1] : [],
            run: (a, b) => tf.matMul(a!, b!, left, right),
          }),
        );
    }),
  },
  {
    kernel: "_FusedMatMul",
    samples: fc
      .tuple(
        matrices,
        fc.constantFrom("linear", "relu", "sigmoid", "leakyrelu"),
        fc.boolean(),
        fc.constantFrom(0, 1, 2),
      )
      .chain(([{ n, k, m, left, right, fixed: constant }, activation, one, rank]) =>
        fc
          .tuple(
            given([...(one ? [1] : []), ...(left ? [k, n] : [n, k])]),
            given(right ? [m, k] : [k, m]),
            given([n, m].slice(2 - rank)),
          )
          .map(
            (list): Sample => ({
              label: `fused matMul ${one ? "of a batch of one " : ""}with ${activation}, bias [${list[2]!.shape}]`,
              given: list,
              constants: constant ? [1, 2] : [],
              run: (a, b, bias) =>
                tf.fused.matMul({
                  a: a!,
                  b: b!,
                  transposeA: left,
                  transposeB: right,
                  bias: bias!,
                  activation: activation as tf.fused.Activation,
                  leakyreluAlpha: 0.2,
                }),
            }),
          ),
      ),
  },
  {
    kernel: "Einsum",
    samples: fc
      .tuple(fc.constantFrom("ij,jk->ik", "ij,jk->ki", "ij,kj->ik"), small(1, 3), small(1, 4))
      .chain(([equation, n, k]) =>
        fc
          .tuple(given([n, k]), given(equation === "ij,kj->ik" ? [2, k] : [k, 2]))
          .map((list): Sample => ({ label: equation, given: list, run: (a, b) => tf.einsum(equation, a!, b!) })),
      ),
  },
];

export const normCases: Case[] = [
  {
    kernel: "FusedBatchNorm",
    samples: fc.tuple(pictures, fc.boolean()).chain(([shape, constant]) => {
      const channels = [shape[3]];
      return fc
        .tuple(given(shape), given(channels), given(channels, "float32", 1, 4), given(channels), given(channels))
        .map(
          (list): Sample => ({
            label: `batchNorm [${shape}]`,
            given: list,
            constants: constant ? [1, 2, 3, 4] : [],
            run: (x, mean, variance, offset, scale) =>
              tf.batchNorm(
                x!,
                mean as tf.Tensor1D,
                variance as tf.Tensor1D,
                offset as tf.Tensor1D,
                scale as tf.Tensor1D,
                0.01,
              ),
          }),
        );
    }),
  },
  {
    kernel: "LRN",
    samples: fc
      .tuple(
        pictures.chain((shape) => given(shape)),
        small(0, 2),
      )
      .map(
        ([x, radius]): Sample => ({
          label: `LRN radius ${radius}`,
          given: [x],
          run: (t) => tf.localResponseNormalization(t as tf.Tensor4D, radius, 1, 0.5, 0.75),
        }),
      ),
  },
];

const normed = pictures
  .filter(([, h, w]) => h * w > 3)
  .chain((shape) =>
    fc.tuple(given(shape), given([shape[3]]), given([shape[3]]), given(shape)).filter(([x]) => varied(x)),
  );

/** Whether no channel is nearly constant, where the gradient is huge and float32 cannot hold it to a tolerance. */
function varied({ data, shape: [n, h, w, c] }: Given): boolean {
  for (let i = 0; i < n! * c!; i++) {
    const [sample, channel] = [Math.floor(i / c!), i % c!];
    const values = Array.from({ length: h! * w! }, (_, p) => data[(sample * h! * w! + p) * c! + channel]!);
    if (Math.max(...values) - Math.min(...values) < 0.5) return false;
  }
  return true;
}

/** Composites have no kernel on the reference: there the plain ops run. */
export const compositeCases: Case[] = [
  {
    kernel: "Composite/instanceNorm",
    node: "InstanceNormalization",
    samples: normed.map(
      ([x, scale, bias]): Sample => ({
        label: `instanceNorm [${x.shape}]`,
        given: [x, scale, bias],
        run: (x, scale, bias) => instanceNorm(x as tf.Tensor4D, scale as tf.Tensor1D, bias as tf.Tensor1D),
      }),
    ),
  },
  ...["ByInput", "ByScale"].map(
    (by, position): Case => ({
      kernel: `Composite/instanceNorm${by}`,
      node: "com.microsoft:FusedMatMul",
      // The gradient is a difference of numbers that may nearly be equal, times up to 1 / √ε.
      tolerance: 1e-3,
      runs: 40,
      samples: normed.map(
        ([x, scale, bias, dy]): Sample => ({
          label: `instanceNorm${by} [${x.shape}]`,
          given: [x, scale, bias, dy],
          run: (x, scale, bias, dy) => {
            const f = (...[x, scale, bias]: tf.Tensor[]) =>
              instanceNorm(x as tf.Tensor4D, scale as tf.Tensor1D, bias as tf.Tensor1D);
            return tf.grads(f)([x!, scale!, bias!], dy!)[position]!;
          },
        }),
      ),
    }),
  ),
  {
    name: "instanceNorm, its gradient differentiated again",
    kernel: "Composite/instanceNorm",
    node: "Reciprocal",
    tolerance: 1e-2,
    samples: normed.map(
      ([x, scale, bias, dy]): Sample => ({
        label: `instanceNorm twice [${x.shape}]`,
        given: [x, scale, bias, dy],
        run: (x, scale, bias, dy) => {
          const f = (x: tf.Tensor) => instanceNorm(x as tf.Tensor4D, scale as tf.Tensor1D, bias as tf.Tensor1D);
          return tf.grad((x) => tf.sum(tf.square(tf.grad(f)(x, dy!))))(x!);
        },
      }),
    ),
  },
];
