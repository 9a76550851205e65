import type { Tensor } from "@tensorflow/tfjs-core";
import { blockedConvolutions } from "./blocked-convolutions.ts";
import { encode } from "./onnx.ts";
import { feedsOf, specsOf } from "./onnx-engine.ts";
import { nameResults } from "./results.ts";
import { SessionHost } from "./session.ts";
import type { StateUse } from "./session-protocol.ts";
import type { Step } from "./steps-program.ts";
import type { StepExecutor, StepsOptions } from "./steps-types.ts";
import { type InputSpec, trace } from "./trace.ts";
import type { Provider, Value } from "./types.ts";

interface Opened {
  readonly session: number;
  readonly state: StateUse;
}

/**
 * Runs steps in ONNX Runtime: one graph and session for each program, set of feed shapes and number of steps, all in one
 * thread, which keeps the state. ONNX Runtime hands results over in arrays of their own, so the state that a run gives
 * becomes the next one's input as it is: one copy a run, inside ONNX Runtime's Node binding.
 */
export function onnxSteps(programs: ReadonlyMap<string, Step>, options: StepsOptions): StepExecutor {
  const host = new SessionHost(options.name, options);
  const opened = new Map<string, Promise<Opened>>();
  const specs = specsOf(options.state);
  let initial: Record<string, Value> | null = options.state;
  /** Done when all that was asked before has been sent to the thread. */
  let turn: Promise<unknown> = Promise.resolve();

  /** Sends after what was asked before; the thread answers in the order of sending. */
  const inTurn = <T>(ready: Promise<T>): Promise<T> => {
    if (initial) {
      // Not before it is needed: a thread that nobody uses is not started.
      host.write(feedsOf(initial)).catch(() => {});
      initial = null;
    }
    const mine = turn.then(() => ready);
    turn = mine.catch(() => {});
    return mine;
  };
  return {
    run(program, feeds, steps) {
      const inputs = specsOf(feeds);
      const key = JSON.stringify([program, steps, inputs]);
      let opening = opened.get(key);
      if (!opening) {
        opening = open(host, programs.get(program)!, inputs, specs, steps, options.provider ?? "cpu");
        opened.set(key, opening);
        opening.catch(() => opened.delete(key));
      }
      const feed = Object.fromEntries(Object.entries(feedsOf(feeds)).map(([name, value]) => [`feed/${name}`, value]));
      return host.step(inTurn(opening), feed).then(named);
    },
    read: (names) => inTurn(Promise.resolve()).then(() => host.read(names)),
    write: (state) => inTurn(Promise.resolve()).then(() => host.write(feedsOf(state))),
    dispose: () => turn.then(() => host.close()),
  };
}

/** Feeds, state and results have namespaces of their own in the graph. */
async function open(
  host: SessionHost,
  step: Step,
  inputs: Record<string, InputSpec>,
  state: Record<string, InputSpec>,
  steps: number | null,
  provider: Provider,
): Promise<Opened> {
  const use = { inputs: {} as Record<string, string>, outputs: {} as Record<string, string> };
  const prefixed = <T>(prefix: string, entries: Record<string, T>) =>
    Object.fromEntries(Object.entries(entries).map(([key, value]) => [`${prefix}/${key}`, value]));
  const picked = (prefix: string, tensors: Record<string, Tensor>) =>
    Object.fromEntries(
      Object.entries(tensors)
        .filter(([key]) => key.startsWith(`${prefix}/`))
        .map(([key, tensor]) => [key.slice(prefix.length + 1), tensor]),
    );
  const graph = trace(
    step.name,
    (tensors) => {
      const given = step.call(picked("feed", tensors), picked("state", tensors), steps);
      for (const entry of Object.keys(given.state)) use.outputs[`next/${entry}`] = entry;
      return { ...prefixed("output", given.outputs), ...prefixed("next", given.state) };
    },
    { ...prefixed("feed", inputs), ...prefixed("state", state) },
  );
  const used = new Set(graph.nodes.flatMap((node) => node.inputs));
  // Entries that a program does not look at are no inputs of its graph.
  const idle = graph.inputs.filter((sym) => sym.name.startsWith("state/") && !used.has(sym));
  for (const sym of idle) graph.inputs.splice(graph.inputs.indexOf(sym), 1);
  for (const { name } of graph.inputs) if (name.startsWith("state/")) use.inputs[name] = name.slice("state/".length);
  const fitted = provider === "cpu" ? blockedConvolutions(graph) : graph;
  const { session } = await host.open(encode(nameResults(fitted)));
  return { session, state: use };
}

function named(results: Record<string, Value>): Record<string, Value> {
  return Object.fromEntries(Object.entries(results).map(([key, value]) => [key.slice("output/".length), value]));
}
