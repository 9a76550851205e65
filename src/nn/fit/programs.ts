import * as tf from "@tensorflow/tfjs-core";
import type { StepProgram, Value } from "../../compile/index.ts";
import { PipeError } from "../../errors.ts";
import { differentiate, flatten, parametersOf, unflatten } from "../flat.ts";
import type { Parameters } from "../parameters.ts";
import { count, type ParameterSpec, type Weights } from "../weights.ts";
import type { Unit } from "./schedule.ts";
import type { FitOptions, Phase } from "./types.ts";

/** Names in the state that stays with the runner. */
export const vectorOf = (part: string): string => `weights/${part}`;
export const slotOf = (phase: string, part: string, slot: string): string => `optimiser/${phase}/${part}/${slot}`;

/** Names of a program's inputs and outputs. */
export const feedOf = (phase: string, input: string): string => `${phase}/${input}`;
export const lossOf = (phase: string, loss: string): string => `loss/${phase}/${loss}`;
export const normOf = (phase: string, part: string): string => `gradient/${phase}/${part}`;

type Specs = FitOptions["parts"];
type State = Readonly<Record<string, tf.Tensor>>;

/** Names of all that the state holds. */
export function stateNames({ parts, phases }: Pick<FitOptions, "parts" | "phases">): string[] {
  const slots = phases.flatMap(({ name, trains, optimiser }) =>
    trains.flatMap((part) => Object.keys(optimiser.start(0)).map((slot) => slotOf(name, part, slot))),
  );
  return [...Object.keys(parts).map(vectorOf), ...slots];
}

/** The state before the first step: each part's vector, and each phase's optimiser state of the parts that it trains. */
export function startState(options: Pick<FitOptions, "parts" | "phases">, weights: Record<string, Weights>) {
  const state: Record<string, Value> = {};
  for (const [part, specs] of Object.entries(options.parts)) {
    const data = flatten(weights[part]!, specs, `The start of ${part}`);
    state[vectorOf(part)] = { data, shape: [data.length] };
  }
  for (const { name, trains, optimiser } of options.phases)
    for (const part of trains)
      for (const [slot, value] of Object.entries(optimiser.start(count(options.parts[part]!))))
        state[slotOf(name, part, slot)] = value;
  return state;
}

/** Copies of the weights in a state. */
export function weightsIn(state: Readonly<Record<string, Value>>, parts: Specs): Record<string, Weights> {
  return Object.fromEntries(
    Object.entries(parts).map(([part, specs]) => [part, unflatten(state[vectorOf(part)]!.data as Float32Array, specs)]),
  );
}

/**
 * One iteration of a unit: losses, gradient and update of its phases, one after the other. Gives each loss, the total,
 * and for each part trained the Euclidean norm of its gradient, scalars all.
 */
export function stepProgram(unit: Unit, specs: Specs): StepProgram {
  return (inputs, state) => {
    const outputs: Record<string, tf.Tensor> = {};
    const changed: Record<string, tf.Tensor> = {};
    for (const phase of unit.phases) {
      const given = Object.entries(inputs)
        .filter(([key]) => key.startsWith(feedOf(phase.name, "")))
        .map(([key, tensor]) => [key.slice(feedOf(phase.name, "").length), tensor]);
      const step = phaseStep(phase, specs, Object.fromEntries(given), { ...state, ...changed });
      Object.assign(outputs, step.outputs);
      Object.assign(changed, step.state);
    }
    return { outputs, state: changed };
  };
}

/** A program that only looks at the weights. */
export function lookProgram(program: NonNullable<FitOptions["programs"]>[string], specs: Specs): StepProgram {
  return (inputs, state) => ({ outputs: program(partsOf(specs, state), inputs), state: {} });
}

function phaseStep(
  phase: Phase,
  specs: Specs,
  inputs: Record<string, tf.Tensor>,
  state: State,
): ReturnType<StepProgram> {
  const { name, trains, optimiser } = phase;
  const vectors = trains.map((part) => state[vectorOf(part)] as tf.Tensor1D);
  const frozen = Object.fromEntries(Object.entries(specs).filter(([part]) => !trains.includes(part)));
  const constants = partsOf(frozen, state);
  // Several parts in one backward pass: one vector of them all. A single one needs no copy.
  const vector = vectors.length === 1 ? vectors[0]! : tf.concat(vectors);
  const { values, gradient } = differentiate(
    vector,
    trains.flatMap((part) => specs[part]!),
    (parameters) => {
      const trained = trains.map((part) => [part, pick(parameters, specs[part]!)]);
      return weighted(phase, phase.losses({ ...constants, ...Object.fromEntries(trained) }, inputs));
    },
  );
  const sizes = vectors.map(({ size }) => size);
  const gradients = vectors.length === 1 ? [gradient] : tf.split(gradient, sizes);
  const outputs = Object.fromEntries(Object.entries(values).map(([loss, value]) => [lossOf(name, loss), value]));
  const changed: Record<string, tf.Tensor> = {};
  trains.forEach((part, i) => {
    outputs[normOf(name, part)] = tf.sqrt(tf.sum(tf.square(gradients[i]!)));
    const slots = Object.keys(optimiser.start(0));
    const remembered = Object.fromEntries(slots.map((slot) => [slot, state[slotOf(name, part, slot)]!]));
    const next = optimiser.update(vectors[i]!, gradients[i] as tf.Tensor1D, remembered);
    changed[vectorOf(part)] = next.parameters;
    for (const [slot, tensor] of Object.entries(next.state)) changed[slotOf(name, part, slot)] = tensor;
  });
  return { outputs, state: changed };
}

/** The losses with their `total`, Σ weight · loss. Throws a PipeError when losses and weights do not have the same names. */
function weighted({ name, weights }: Phase, losses: Record<string, tf.Scalar>) {
  const missing = Object.keys(losses).filter((loss) => weights[loss] === undefined);
  const surplus = Object.keys(weights).filter((loss) => losses[loss] === undefined);
  if (missing.length > 0 || surplus.length > 0)
    throw new PipeError(
      `The phase "${name}" gives the losses ${Object.keys(losses).join(", ")}, but has weights for ${Object.keys(weights).join(", ") || "none"}.`,
      { hint: "Each loss needs a weight of its name; 0 only logs it." },
    );
  for (const [loss, { shape }] of Object.entries(losses))
    if (shape.length > 0)
      throw new PipeError(
        `The loss "${loss}" of the phase "${name}" has the shape [${shape.join(", ")}], not that of a scalar.`,
      );
  const terms = Object.entries(losses)
    .filter(([loss]) => weights[loss] !== 0)
    .map(([loss, value]) => (weights[loss] === 1 ? value : tf.mul<tf.Scalar>(value, weights[loss]!)));
  if (terms.length === 0) throw new PipeError(`The phase "${name}" has no loss with a weight other than 0.`);
  return { ...losses, total: terms.reduce((sum, term) => tf.add(sum, term)) };
}

function partsOf(specs: Specs, state: State): Record<string, Parameters> {
  const entries = Object.entries(specs);
  return Object.fromEntries(
    entries.map(([part, list]) => [part, parametersOf(state[vectorOf(part)] as tf.Tensor1D, list)]),
  );
}

function pick(parameters: Parameters, specs: readonly ParameterSpec[]): Parameters {
  return new Map(specs.map(({ name }) => [name, parameters.get(name)!]));
}
