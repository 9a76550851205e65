import * as tf from "@tensorflow/tfjs-core";
import { PipeError, reasonOf } from "../errors.ts";
import type { StepProgram } from "./steps-types.ts";
import type { Value } from "./types.ts";

/** A step program with its promises checked, and able to make several steps at once. */
export interface Step {
  /** `program/name`, as errors say it. */
  readonly name: string;
  call(
    inputs: Record<string, tf.Tensor>,
    state: Readonly<Record<string, tf.Tensor>>,
    steps: number | null,
  ): ReturnType<StepProgram>;
}

/** Wraps a program whose state starts as `initial`; what it gives back must fit that. */
export function stepOf(name: string, program: StepProgram, initial: Record<string, Value>): Step {
  const once = (inputs: Record<string, tf.Tensor>, state: Readonly<Record<string, tf.Tensor>>) => {
    const given = attempt(name, program, inputs, state);
    for (const [entry, tensor] of Object.entries(given.state)) checkEntry(name, entry, tensor, initial[entry]);
    return given;
  };
  return {
    name,
    call(inputs, state, steps) {
      if (steps === null) return once(inputs, state);
      const apart = Object.entries(inputs).map(([key, tensor]) => [key, tf.unstack(tensor)] as const);
      const outputs: Record<string, tf.Tensor>[] = [];
      let changed: Record<string, tf.Tensor> = {};
      for (let i = 0; i < steps; i++) {
        const own = Object.fromEntries(apart.map(([key, tensors]) => [key, tensors[i]!]));
        const given = once(own, { ...state, ...changed });
        changed = { ...changed, ...given.state };
        outputs.push(given.outputs);
      }
      const names = Object.keys(outputs[0]!);
      const stacked = names.map((key) => [key, tf.stack(outputs.map((output) => output[key]!))] as const);
      return { outputs: Object.fromEntries(stacked), state: changed };
    },
  };
}

function attempt(
  name: string,
  program: StepProgram,
  inputs: Record<string, tf.Tensor>,
  state: Readonly<Record<string, tf.Tensor>>,
): ReturnType<StepProgram> {
  try {
    return program(inputs, { ...state });
  } catch (cause) {
    if (cause instanceof PipeError) throw cause;
    const kernel = /gradient function not found for (\w+)/.exec(String(cause))?.[1];
    if (kernel)
      throw new PipeError(`${name} needs the gradient of the TensorFlow.js kernel ${kernel}, which is not known.`, {
        hint:
          "Write that part with other ops, give it a gradient of its own with tf.customGrad, or keep it out of the " +
          "loss as an input. A gradient is added in src/compile/gradient-corrections.ts.",
        cause,
      });
    const shapes = Object.entries(inputs).map(([key, tensor]) => `${key} [${tensor.shape.join(", ")}]`);
    throw new PipeError(`${name} failed: ${reasonOf(cause)}`, {
      hint: `Its inputs were ${shapes.join(", ") || "none"}.`,
      cause,
    });
  }
}

function checkEntry(name: string, entry: string, tensor: tf.Tensor, value: Value | undefined): void {
  if (!value)
    throw new PipeError(`${name} gives a state "${entry}" that there is not.`, {
      hint: "Every entry needs a value in the option `state` to start from.",
    });
  const dtype = value.data instanceof Float32Array ? "float32" : "int32";
  const same = tensor.shape.length === value.shape.length && tensor.shape.every((n, axis) => n === value.shape[axis]);
  if (!same || tensor.dtype !== dtype)
    throw new PipeError(
      `${name} gives the state "${entry}" as ${tensor.dtype}[${tensor.shape.join(", ")}], ` +
        `but it was ${dtype}[${value.shape.join(", ")}].`,
      { hint: "A step must leave the shapes and dtypes of its state as they are." },
    );
}
