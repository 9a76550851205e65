import * as tf from "@tensorflow/tfjs-core";
import type { StepProgram, Update, Value } from "../../compile/index.ts";
import { PipeError } from "../../errors.ts";
import { differentiateParts, flatten, parametersOf, unflatten } from "../flat.ts";
import { byRule } from "../optimisers.ts";
import type { Parameters } from "../parameters.ts";
import { count, type Weights } from "../weights.ts";
import { Memory } from "./memory.ts";
import type { FitOptions, Phase } from "./types.ts";

/** Names in the state that stays with the runner. */
export const vectorOf = (part: string): string => `weights/${part}`;
export const slotOf = (phase: string, part: string, slot: string): string => `optimiser/${phase}/${part}/${slot}`;

/** Names of a step's outputs. */
export const lossOf = (loss: string): string => `loss/${loss}`;
export const normOf = (part: string): string => `gradient/${part}`;

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
 * One iteration of a phase: losses, gradient and update. Gives each loss, the total, and for each part trained the
 * Euclidean norm of its gradient, scalars all. What is updated in place is updated after the graph, so that every phase
 * has a graph of its own.
 */
export function stepProgram(phase: Phase, specs: Specs): StepProgram {
  const { name, trains, optimiser } = phase;
  return (inputs, state) => {
    const vectorIn = (part: string) => state[vectorOf(part)] as tf.Tensor1D;
    const frozen = Object.fromEntries(Object.entries(specs).filter(([part]) => !trains.includes(part)));
    const constants = partsOf(frozen, state);
    const trained = trains.map((part) => [part, { vector: vectorIn(part), specs: specs[part]! }] as const);
    const { values, gradients } = differentiateParts(Object.fromEntries(trained), (parameters) => {
      const memory = new Memory(name, constants);
      const losses = phase.losses({ ...constants, ...parameters }, inputs, memory.remember);
      return { ...weighted(phase, losses), ...prefixed(REMEMBERED, memory.vectors()) };
    });
    const outputs: Record<string, tf.Tensor> = {};
    const changed: Record<string, tf.Tensor> = {};
    for (const [key, value] of Object.entries(values))
      if (key.startsWith(REMEMBERED)) changed[vectorOf(key.slice(REMEMBERED.length))] = value;
      else outputs[lossOf(key)] = value;
    const updates: Update[] = [];
    for (const part of trains) {
      const gradient = gradients[part]!;
      const slots = Object.keys(optimiser.start(0)).map((slot) => [slot, slotOf(name, part, slot)] as const);
      if (optimiser.rule) {
        const entries = { parameters: vectorOf(part), ...Object.fromEntries(slots) };
        const { update, state: next } = byRule(optimiser.rule, gradient, state, entries);
        updates.push({ ...update, norm: normOf(part) });
        Object.assign(changed, next);
      } else {
        const own = Object.fromEntries(slots.map(([slot, entry]) => [slot, state[entry]!]));
        const next = optimiser.update(vectorIn(part), gradient, own);
        outputs[normOf(part)] = tf.sqrt(tf.sum(tf.square(gradient)));
        changed[vectorOf(part)] = next.parameters;
        for (const [slot, tensor] of Object.entries(next.state)) changed[slotOf(name, part, slot)] = tensor;
      }
    }
    return { outputs, state: changed, updates };
  };
}

/** A program that only looks at the weights. */
export function lookProgram(program: NonNullable<FitOptions["programs"]>[string], specs: Specs): StepProgram {
  return (inputs, state) => ({ outputs: program(partsOf(specs, state), inputs), state: {} });
}

/** Vectors on their way out of where the gradient is taken, among the losses. */
const REMEMBERED = "remembered: ";

const prefixed = <T>(prefix: string, record: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [prefix + key, value]));

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
