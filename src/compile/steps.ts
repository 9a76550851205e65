import { PipeError } from "../errors.ts";
import { checkFeeds } from "./compile.ts";
import { chooseEngine } from "./engines.ts";
import { registerGradients } from "./gradients.ts";
import { registerTracing } from "./kernels/index.ts";
import { eagerSteps } from "./steps-eager.ts";
import { onnxSteps } from "./steps-onnx.ts";
import { stepOf } from "./steps-program.ts";
import type { StepProgram, Steps, StepsOptions } from "./steps-types.ts";
import type { Value } from "./types.ts";

/**
 * Programs that share a state (parameters, optimiser state) and run on the chosen engine: training steps. Nothing is
 * traced before the first `run`. The returned object owns what it opens: `dispose` it (or `await using`).
 */
export function compileSteps<Name extends string>(
  programs: Record<Name, StepProgram>,
  options: StepsOptions,
): Steps<Name> {
  const { name } = options;
  const engine = chooseEngine(options);
  registerGradients();
  registerTracing();
  const initial = copied(options.state);
  checkState(name, initial);
  const wrapped = new Map(
    Object.entries<StepProgram>(programs).map(([key, program]) => [key, stepOf(`${name}/${key}`, program, initial)]),
  );
  const settings = { ...options, state: initial };
  const executor = engine.name === "onnx" ? onnxSteps(wrapped, settings) : eagerSteps(wrapped, settings, engine.name);

  let disposed: Promise<void> | undefined;
  const dispose = () => {
    disposed ??= executor.dispose();
    return disposed;
  };
  const open = () => {
    if (disposed) throw new PipeError(`${name} was used after it was disposed.`);
  };
  const known = (entry: string) => {
    const value = initial[entry];
    if (value) return value;
    throw new PipeError(`${name} has no state "${entry}".`, { hint: `Its state: ${Object.keys(initial).join(", ")}.` });
  };
  return {
    name,
    engine,
    async run(program, feeds, { steps } = {}) {
      open();
      if (!wrapped.has(program))
        throw new PipeError(`${name} has no program "${program}".`, {
          hint: `Its programs: ${[...wrapped.keys()].join(", ")}.`,
        });
      const called = `${name}/${program}`;
      checkFeeds(called, feeds);
      if (steps !== undefined) checkSteps(called, feeds, steps);
      return executor.run(program, feeds, steps ?? null);
    },
    async read(names = Object.keys(initial)) {
      open();
      names.forEach(known);
      return executor.read(names);
    },
    async write(state) {
      open();
      checkState(name, state);
      for (const [entry, value] of Object.entries(state)) {
        const [is, must] = [described(value), described(known(entry))];
        if (is !== must) throw new PipeError(`${name}: the state "${entry}" is ${must}; ${is} was given.`);
      }
      return executor.write(copied(state));
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function copied(state: Record<string, Value>): Record<string, Value> {
  const entries = Object.entries(state);
  return Object.fromEntries(entries.map(([key, { data, shape }]) => [key, { data: data.slice(), shape: [...shape] }]));
}

function checkState(name: string, state: Record<string, Value>): void {
  checkFeeds(name, state, "state");
  for (const [entry, { data }] of Object.entries(state))
    if (data instanceof Uint8Array)
      throw new PipeError(`${name}: the state "${entry}" holds bytes; float32 and int32 can be kept.`);
}

function checkSteps(name: string, feeds: Record<string, Value>, steps: number): void {
  if (!Number.isInteger(steps) || steps < 1)
    throw new PipeError(`${name}: steps must be a whole number of at least 1, not ${steps}.`);
  for (const [key, { shape }] of Object.entries(feeds))
    if (shape[0] !== steps)
      throw new PipeError(
        `${name}: the feed "${key}" has the shape [${shape.join(", ")}], but for ${steps} steps it needs a leading axis of ${steps}.`,
      );
}

/** E.g. `float32[3, 4]`. */
function described({ data, shape }: Value): string {
  return `${data instanceof Float32Array ? "float32" : "int32"}[${shape.join(", ")}]`;
}
