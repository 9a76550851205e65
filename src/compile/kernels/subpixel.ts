import type { backend_util } from "@tensorflow/tfjs-core";
import type { Graph, Sym } from "../graph.ts";
import { backwards, pad, transpose } from "./move.ts";
import { crop } from "./windows.ts";

/**
 * A transposed convolution as an ordinary one that computes all positions within a stride at once, followed by
 * DepthToSpace: with kernel k and stride s, output s·j + r − pad is the sum over t of x[j − t] · w[t·s + r], a
 * convolution of ⌈k / s⌉ taps with s² times the channels. The same multiplications as ConvTranspose, in the shape that
 * ONNX Runtime is fastest at (Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution …", sub-pixel form).
 *
 * `x` is NCHW; the filter is known beforehand, [height, width, outChannels of the result, inChannels of x], or a value
 * [inChannels of x, outChannels of the result, height, width]; needs equal strides.
 */
export function subpixel(graph: Graph, x: Sym, filter: Float32Array | Sym, info: backend_util.Conv2DInfo): Sym {
  const s = info.strideHeight;
  const [mh, mw] = [Math.ceil(info.filterHeight / s), Math.ceil(info.filterWidth / s)];
  const [n, , h, w] = x.shape as [number, number, number, number];
  const cout = info.inChannels;
  const weights = filter instanceof Float32Array ? known(graph, filter, info) : turned(graph, filter, info);

  const { top, left } = info.padInfo;
  if (s === 1 && top < info.filterHeight && left < info.filterWidth) {
    // No phases to interleave: the border is left out at once.
    const pads = [mh - 1 - top, mw - 1 - left, info.inHeight + top - h, info.inWidth + left - w];
    if (pads.every((amount) => amount >= 0))
      return graph.add(
        "Conv",
        [x, weights],
        { shape: [n, cout, info.inHeight, info.inWidth], type: "float32" },
        { kernel_shape: [mh, mw], pads },
      );
  }
  // Rows that an uneven stride left unseen get no contribution: reach further and let the border's zeros fill them.
  const rows = Math.max(h + mh - 1, Math.ceil((top + info.inHeight) / s));
  const columns = Math.max(w + mw - 1, Math.ceil((left + info.inWidth) / s));
  const small = graph.add(
    "Conv",
    [x, weights],
    { shape: [n, s * s * cout, rows, columns], type: "float32" },
    { kernel_shape: [mh, mw], pads: [mh - 1, mw - 1, rows - h, columns - w] },
  );
  const large =
    s === 1
      ? small
      : graph.add(
          "DepthToSpace",
          [small],
          { shape: [n, cout, rows * s, columns * s], type: "float32" },
          { blocksize: s, mode: "DCR" },
        );
  return crop(graph, large, [top, left], [info.inHeight, info.inWidth]);
}

/** The filter in sub-pixel form, [s² · out, in, ⌈height / s⌉, ⌈width / s⌉]. */
function known(graph: Graph, values: Float32Array, info: backend_util.Conv2DInfo): Sym {
  const s = info.strideHeight;
  const [kh, kw, cout, cin] = [info.filterHeight, info.filterWidth, info.inChannels, info.outChannels];
  const [mh, mw] = [Math.ceil(kh / s), Math.ceil(kw / s)];
  const weights = new Float32Array(s * s * cout * cin * mh * mw);
  for (let rh = 0; rh < s; rh++)
    for (let rw = 0; rw < s; rw++)
      for (let co = 0; co < cout; co++)
        for (let ci = 0; ci < cin; ci++)
          for (let th = 0; th < mh; th++)
            for (let tw = 0; tw < mw; tw++) {
              const [ky, kx] = [th * s + rh, tw * s + rw];
              if (ky >= kh || kx >= kw) continue;
              const out = (rh * s + rw) * cout + co;
              // Taps run against the kernel's direction in an ordinary convolution.
              const to = ((out * cin + ci) * mh + (mh - 1 - th)) * mw + (mw - 1 - tw);
              weights[to] = values[((ky * kw + kx) * cout + co) * cin + ci]!;
            }
  return graph.constant(weights, [s * s * cout, cin, mh, mw], "float32");
}

function turned(graph: Graph, filter: Sym, info: backend_util.Conv2DInfo): Sym {
  const s = info.strideHeight;
  const [cout, cin] = [info.inChannels, info.outChannels];
  const [mh, mw] = [Math.ceil(info.filterHeight / s), Math.ceil(info.filterWidth / s)];
  const whole = pad(graph, filter, [0, 0, 0, 0], [0, 0, mh * s - info.filterHeight, mw * s - info.filterWidth]);
  const phases = transpose(graph, graph.reshape(whole, [cin, cout, mh, s, mw, s]), [3, 5, 1, 0, 2, 4]);
  return backwards(graph, graph.reshape(phases, [s * s * cout, cin, mh, mw]), [2, 3]);
}
