import type * as tf from "@tensorflow/tfjs-core";
import { PipeError, reasonOf } from "../errors.ts";
import type { StepProgram } from "./steps-types.ts";
import type { Value } from "./types.ts";
import { type Update, updated } from "./update.ts";

type Tensors = Readonly<Record<string, tf.Tensor>>;

/** A step program with its promises checked. */
export interface Step {
  /** `program/name`, as errors say it. */
  readonly name: string;
  /** What the program gives, its updates among the state. */
  call(inputs: Tensors, state: Tensors): { outputs: Record<string, tf.Tensor>; state: Record<string, tf.Tensor> };
  /** The same with the updates apart, for whoever makes them himself. */
  apart(inputs: Tensors, state: Tensors): ReturnType<Step["call"]> & { updates: readonly Update[] };
}

/** Wraps a program whose state starts as `initial`; what it gives back must fit that. */
export function stepOf(name: string, program: StepProgram, initial: Record<string, Value>): Step {
  const apart: Step["apart"] = (inputs, state) => {
    const { updates = [], ...given } = attempt(name, program, inputs, state);
    for (const [entry, tensor] of Object.entries(given.state)) checkEntry(name, entry, tensor, initial[entry]);
    const changed = new Set(Object.keys(given.state));
    for (const { entries, gradient } of updates)
      for (const entry of Object.values(entries)) {
        checkEntry(name, entry, gradient, initial[entry]);
        if (changed.has(entry)) throw new PipeError(`${name} changes the state "${entry}" twice in one step.`);
        changed.add(entry);
      }
    return { ...given, updates };
  };
  return {
    name,
    apart,
    call(inputs, state) {
      const { outputs, state: changed, updates } = apart(inputs, state);
      const made = updates.map((update) => updated(update, state));
      return {
        outputs: Object.assign({}, outputs, ...made.map((each) => each.outputs)),
        state: Object.assign({}, changed, ...made.map((each) => each.state)),
      };
    },
  };
}

function attempt(name: string, program: StepProgram, inputs: Tensors, state: Tensors): ReturnType<StepProgram> {
  try {
    return program({ ...inputs }, { ...state });
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
