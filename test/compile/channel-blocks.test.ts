import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { withBackend } from "../../src/compile/backends.ts";
import { channelBlocks } from "../../src/compile/channel-blocks.ts";
import type { Graph } from "../../src/compile/graph.ts";
import { registerTracing } from "../../src/compile/kernels/index.ts";
import { encode } from "../../src/compile/onnx.ts";
import { SessionHost } from "../../src/compile/session.ts";
import { trace } from "../../src/compile/trace.ts";
import { compare } from "./conformance.ts";
import { waves } from "./models.ts";

const host = new SessionHost("channel blocks", { threads: 1 });
afterAll(() => host.close());

const ACTIVATIONS = { relu: tf.relu, leakyRelu: tf.leakyRelu, tanh: tf.tanh };

/** Residual stages as detectors of faces have them: some narrow by pooling, some widen their shortcut by zero channels. */
const stages = fc.array(
  fc.record({
    wider: fc.integer({ min: 0, max: 5 }),
    pool: fc.constantFrom("max" as const, "mean" as const, null),
    depthwise: fc.boolean(),
    activation: fc.constantFrom("relu" as const, "leakyRelu" as const, "tanh" as const),
    bias: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
);
type Stage = typeof stages extends fc.Arbitrary<(infer S)[]> ? S : never;
const networks = fc.record({ stages, channels: fc.integer({ min: 1, max: 9 }), side: fc.integer({ min: 4, max: 9 }) });

test("a rewritten graph gives what the graph itself gives, and no Pad is left between convolutions", async () => {
  let [rewritten, widened] = [0, 0];
  await fc.assert(
    fc.asyncProperty(networks, fc.constantFrom(4, 8, 16), async (network, block) => {
      const graph = traced(network, network.stages);
      const blocked = channelBlocks(graph, block);
      rewritten += blocked === graph ? 0 : 1;
      const count = (op: string, { nodes }: Graph) => nodes.filter((node) => node.op === op).length;
      const smooth = network.stages.every(({ activation }) => activation !== "tanh");
      if (smooth && count("Pad", graph) > 0) {
        widened += 1;
        expect(count("Pad", blocked)).toBe(0);
        for (const node of blocked.nodes)
          if (node.op.endsWith("Pool")) expect(node.outputs[0]!.shape[1]! % block).toBe(0);
      }
      expect(blocked.outputs.map(({ name, shape }) => ({ name, shape }))).toEqual(
        graph.outputs.map(({ name, shape }) => ({ name, shape })),
      );
      const [found, expected] = [await run(blocked, network.side), await run(graph, network.side)];
      for (const name of Object.keys(expected))
        compare(JSON.stringify(network), found[name]!.data, expected[name]!.data, 1e-5);
    }),
    { numRuns: 40, seed: 3 },
  );
  expect(rewritten).toBeGreaterThan(10);
  expect(widened).toBeGreaterThan(5);
});

test("a graph stays itself where its channels are whole blocks, or are seen from outside", () => {
  const whole = { channels: 8, side: 6 };
  const pooling: Stage = { wider: 0, pool: "max", depthwise: true, activation: "relu", bias: true };
  const graph = traced(whole, [pooling]);
  expect(channelBlocks(graph, 8)).toBe(graph);
  const seen = traced({ channels: 5, side: 6 }, [pooling], true);
  expect(channelBlocks(seen, 8)).toBe(seen);
});

function traced({ channels, side }: { channels: number; side: number }, list: Stage[], show = false): Graph {
  registerTracing();
  return trace(
    "residual",
    ({ x }) => {
      const filter = (...shape: number[]) => constant(shape);
      let y = tf.conv2d(x as tf.Tensor4D, filter(3, 3, 2, channels) as tf.Tensor4D, 1, "same");
      const seen = y;
      for (const { wider, pool, depthwise, activation, bias } of list) {
        const size = y.shape[3];
        const stride = pool && y.shape[1] > 1 ? 2 : 1;
        let main = depthwise
          ? tf.depthwiseConv2d(y, filter(3, 3, size, 1) as tf.Tensor4D, stride, "same")
          : tf.conv2d(y, filter(2, 3, size, size + 1) as tf.Tensor4D, stride, "same");
        main = tf.conv2d(main, filter(1, 1, main.shape[3], size + wider) as tf.Tensor4D, 1, "valid");
        if (bias) main = tf.add(main, constant([size + wider]));
        let shortcut: tf.Tensor4D = y;
        if (stride === 2) shortcut = (pool === "max" ? tf.maxPool : tf.avgPool)(y, 2, 2, "same");
        if (wider > 0)
          shortcut = tf.pad(shortcut, [
            [0, 0],
            [0, 0],
            [0, 0],
            [0, wider],
          ]);
        y = ACTIVATIONS[activation](tf.add(main, shortcut)) as tf.Tensor4D;
      }
      const result = tf.conv2d(y, filter(1, 1, y.shape[3], 2) as tf.Tensor4D, 1, "valid");
      return show ? { result, seen } : { result };
    },
    { x: { shape: [2, side, side, 2], dtype: "float32" } },
  );
}

function constant(shape: number[]): tf.Tensor {
  const data = waves(shape.reduce((a, b) => a * b, 1)).map((value) => value / 2);
  return withBackend("cpu", () => tf.tensor(data, shape));
}

async function run(graph: Graph, side: number) {
  const { session } = await host.open(encode(graph));
  return host.run(session, { x: { data: waves(2 * side * side * 2), shape: [2, side, side, 2], type: "float32" } });
}
