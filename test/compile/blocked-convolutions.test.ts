import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { blockedConvolutions } from "../../src/compile/blocked-convolutions.ts";
import { hasAvx512 } from "../../src/compile/channel-blocks.ts";
import type { Graph } from "../../src/compile/graph.ts";
import { registerTracing } from "../../src/compile/kernels/index.ts";
import { encode } from "../../src/compile/onnx.ts";
import { SessionHost } from "../../src/compile/session.ts";
import type { Feed } from "../../src/compile/session-protocol.ts";
import { trace } from "../../src/compile/trace.ts";
import { compare } from "./conformance.ts";

const host = new SessionHost("blocked convolutions", { threads: 1 });
afterAll(() => host.close());

const layers = fc.array(
  fc.record({
    channels: fc.constantFrom(3, 12, 16, 20, 32),
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 2 }),
    padding: fc.integer({ min: 0, max: 1 }),
    after: fc.constantFrom("nothing", "bias", "leaky", "gate", "mean", "double"),
  }),
  { minLength: 1, maxLength: 4 },
);
const networks = fc.record({
  layers,
  picture: fc.constantFrom(1, 3, 4, 7, 16),
  side: fc.integer({ min: 20, max: 24 }),
});
interface Network {
  readonly layers: readonly { channels: number; kernel: number; stride: number; padding: number; after: string }[];
  readonly picture: number;
  readonly side: number;
}

test.skipIf(!hasAvx512())("a blocked graph gives what the graph itself gives", async () => {
  let [blocked, interleaved] = [0, 0];
  await fc.assert(
    fc.asyncProperty(networks, async (network) => {
      const feeds = feedsOf(network);
      const graph = traced(network, feeds);
      const other = blockedConvolutions(graph);
      blocked += other === graph ? 0 : 1;
      const has = ({ nodes }: Graph) => nodes.some((node) => node.op === "DepthToSpace");
      interleaved += has(graph) && !has(other) ? 1 : 0;
      const [found, expected] = [await run(other, feeds), await run(graph, feeds)];
      expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
      for (const name of Object.keys(expected)) {
        expect(found[name]!.shape).toEqual(expected[name]!.shape);
        compare(JSON.stringify(network), found[name]!.data, expected[name]!.data, 1e-4);
      }
    }),
    { numRuns: 40, seed: 5 },
  );
  expect(blocked).toBeGreaterThan(20);
  expect(interleaved).toBeGreaterThan(0);
});

test("between two blocked convolutions nothing is laid out anew", () => {
  const after = "bias";
  const layer = { channels: 16, kernel: 3, stride: 1, padding: 1, after };
  const network = { layers: [layer, { ...layer, after: "leaky" }, layer], picture: 16, side: 20 };
  const graph = traced(network, feedsOf(network));
  const count = (op: string) =>
    blockedConvolutions(graph, true).nodes.filter((node) => node.op === `com.microsoft.nchwc:${op}`).length;
  expect(["Conv", "ReorderInput", "ReorderOutput"].map(count)).toEqual([3, 1, 0]);
  expect(blockedConvolutions(graph, false)).toBe(graph);
});

function feedsOf({ layers, picture, side }: Network): Record<string, Feed> {
  const feed = (shape: number[], scale: number): Feed => {
    const length = shape.reduce((a, b) => a * b, 1);
    return {
      data: Float32Array.from({ length }, (_, i) => scale * Math.sin(i * 1.3 + i * i * 0.01)),
      shape,
      type: "float32",
    };
  };
  const feeds: Record<string, Feed> = { x: feed([2, side, side, picture], 1) };
  let before: number = picture;
  for (const [i, { channels, kernel }] of layers.entries()) {
    feeds[`w${i}`] = feed([channels, before, kernel, kernel], 1 / Math.sqrt(before * kernel * kernel));
    feeds[`b${i}`] = feed([channels], 1);
    before = channels;
  }
  return feeds;
}

function traced({ layers }: Network, feeds: Record<string, Feed>): Graph {
  registerTracing();
  const specs = Object.entries(feeds).map(([key, { shape }]) => [key, { shape, dtype: "float32" as const }]);
  return trace(
    "network",
    (inputs) => {
      let x = inputs.x as tf.Tensor4D;
      const outputs: Record<string, tf.Tensor> = {};
      for (const [i, { stride, padding, after }] of layers.entries()) {
        const filter = tf.transpose(inputs[`w${i}`]!, [2, 3, 1, 0]) as tf.Tensor4D;
        if (Math.min(x.shape[1], x.shape[2]) + 2 * padding < filter.shape[0]) break;
        const y = tf.conv2d(x, filter, stride, padding);
        if (after === "bias") x = tf.relu(tf.add(y, inputs[`b${i}`]!));
        else if (after === "leaky") x = tf.leakyRelu(tf.mul(y, 3), 0.1);
        else if (after === "double") {
          // Back to the input's size and channels, by the same weights.
          const shape = [2, 2 * y.shape[1], 2 * y.shape[2], x.shape[3]] as [number, number, number, number];
          const back = tf.conv2dTranspose(y, filter, shape, 2, "same");
          outputs[`double${i}`] = tf.leakyRelu(back, 0.2);
          x = y;
        } else if (after === "gate") x = tf.mul(y, tf.sigmoid(y));
        else x = y;
        if (after === "mean") outputs[`mean${i}`] = tf.mean(y, [1, 2]);
      }
      return { ...outputs, result: x };
    },
    Object.fromEntries(specs),
  );
}

async function run(graph: Graph, feeds: Record<string, Feed>) {
  const { session } = await host.open(encode(graph));
  return host.run(session, feeds);
}
