import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { expect } from "vitest";
import { readTensor, withBackend } from "../../src/compile/backends.ts";
import { registerTracing } from "../../src/compile/kernels/index.ts";
import { encode } from "../../src/compile/onnx.ts";
import type { SessionHost } from "../../src/compile/session.ts";
import type { Feed } from "../../src/compile/session-protocol.ts";
import { trace } from "../../src/compile/trace.ts";
import type { Value } from "../../src/compile/types.ts";

/** One tensor to feed; bool is fed as int32 0 or 1 and cast inside. */
export interface Given {
  readonly shape: number[];
  readonly dtype: "float32" | "int32" | "bool";
  readonly data: number[];
}

/** One use of a kernel: `run` must call it, with tensors made from `given`. */
export interface Sample {
  readonly label: string;
  readonly given: readonly Given[];
  readonly run: (...tensors: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
  /** Inputs (by position) that the tracer must know beforehand: fed as constants. */
  readonly constants?: readonly number[];
}

export interface Case {
  readonly kernel: string;
  /** What the test is called, if not as the kernel. */
  readonly name?: string;
  readonly samples: fc.Arbitrary<Sample>;
  /** Allowed difference, absolute and relative. Default 1e-4. */
  readonly tolerance?: number;
  readonly runs?: number;
  /** For a kernel that the reference has not: the ONNX operator that shows its use. */
  readonly node?: string;
}

/**
 * The exam that every kernel sits: random samples through ONNX Runtime and through the cpu backend give the same
 * shapes, dtypes and numbers, and do so when the inputs come with their axes turned round in memory.
 */
export async function examine(
  host: SessionHost,
  { kernel, samples, tolerance = 1e-4, runs = 20, node }: Case,
): Promise<void> {
  let used = false;
  await fc.assert(
    fc.asyncProperty(samples, fc.boolean(), async (sample, turned) => {
      const { values, kernels } = await reference(sample);
      const { found, nodes } = await compiled(host, kernel, sample, turned);
      used ||= node === undefined ? kernels.includes(kernel) : nodes.includes(node);
      expect(found.length, sample.label).toBe(values.length);
      values.forEach((value, i) => {
        expect(found[i]!.shape, sample.label).toEqual(value.shape);
        expect(found[i]!.data.constructor.name, sample.label).toBe(value.data.constructor.name);
        compare(sample.label, found[i]!.data, value.data, tolerance);
      });
    }),
    { numRuns: runs, seed: 7 },
  );
  expect(used, `no sample calls the kernel ${kernel}`).toBe(true);
}

async function reference(sample: Sample): Promise<{ values: Value[]; kernels: string[] }> {
  const profile = await withBackend("cpu", () =>
    tf.profile(() => tf.tidy(() => ({ list: listed(sample.run(...sample.given.map(tensor))) }) as never)),
  );
  const list = (profile.result as unknown as { list: tf.Tensor[] }).list;
  const values = await Promise.all(list.map(readTensor));
  tf.dispose(list);
  return { values, kernels: profile.kernelNames };
}

async function compiled(host: SessionHost, name: string, sample: Sample, turned: boolean) {
  const constants = sample.constants ?? [];
  const turn = (given: Given) => turned && given.shape.length > 1;
  const feeds: Record<string, Feed> = {};
  sample.given.forEach((given, i) => {
    if (constants.includes(i)) return;
    const shape = turn(given) ? given.shape.toReversed() : given.shape;
    const data = turn(given) ? reversedAxes(given) : given.data;
    const float = given.dtype === "float32";
    feeds[`x${i}`] = {
      data: float ? Float32Array.from(data) : Int32Array.from(data),
      shape,
      type: float ? "float32" : "int32",
    };
  });
  const program = (inputs: Record<string, tf.Tensor>) => {
    const tensors = sample.given.map((given, i) => {
      if (constants.includes(i)) return tensor(given);
      const fed = turn(given) ? tf.transpose(inputs[`x${i}`]!) : inputs[`x${i}`]!;
      return given.dtype === "bool" ? tf.cast(fed, "bool") : fed;
    });
    return Object.fromEntries(listed(sample.run(...tensors)).map((result, i) => [`y${i}`, result]));
  };
  registerTracing();
  const specs = Object.fromEntries(
    Object.entries(feeds).map(([key, { shape, type }]) => [key, { shape, dtype: type as "float32" | "int32" }]),
  );
  const graph = trace(name, program, specs);
  const { session } = await host.open(encode(graph));
  const values = await host.run(session, feeds);
  const found = Object.keys(values)
    .sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)))
    .map((key) => values[key]!);
  return { found, nodes: graph.nodes.map(({ op }) => op) };
}

const listed = (result: tf.Tensor | tf.Tensor[]) => (Array.isArray(result) ? result : [result]);

const tensor = ({ data, shape, dtype }: Given) => tf.tensor(data, shape, dtype);

function reversedAxes({ data, shape, dtype }: Given): number[] {
  return withBackend("cpu", () => tf.tidy(() => [...tf.transpose(tf.tensor(data, shape, dtype)).dataSync()]));
}

export function compare(label: string, found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [found[i]!, expected[i]!];
    const same = Object.is(a, b) || a === b || Math.abs(a - b) <= tolerance * (1 + Math.abs(b));
    if (!same) expect.fail(`${label}: value ${i} is ${a}, the reference gives ${b}`);
  }
}
