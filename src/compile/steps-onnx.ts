import type { Tensor } from "@tensorflow/tfjs-core";
import { ARENA_BYTES, bytesOf } from "./arena.ts";
import { blockedConvolutions } from "./blocked-convolutions.ts";
import type { Graph } from "./graph.ts";
import { loopOf } from "./loop.ts";
import { encode } from "./onnx.ts";
import { feedsOf, specsOf } from "./onnx-engine.ts";
import { splitInput, splitOutput } from "./pieces.ts";
import { prune } from "./prune.ts";
import { nameResults } from "./results.ts";
import { SessionHost } from "./session.ts";
import type { InPlace, Piece, StateUse } from "./session-protocol.ts";
import { sliced } from "./slices.ts";
import type { Step } from "./steps-program.ts";
import type { StepExecutor, StepsOptions } from "./steps-types.ts";
import { type InputSpec, trace } from "./trace.ts";
import type { Provider, Value } from "./types.ts";
import type { Update } from "./update.ts";

/**
 * Runs steps in ONNX Runtime: one graph and session for each program and set of feed shapes, all in one thread, which
 * keeps the state. What a program's updates change lies still in that thread: the graph reads pieces of it and writes
 * the gradient's pieces to their place, and a loop changes it. Other results that go back to the state become the next
 * run's input as they are.
 */
export function onnxSteps(programs: ReadonlyMap<string, Step>, options: StepsOptions): StepExecutor {
  const host = new SessionHost(options.name, options);
  const opened = new Map<string, Promise<number>>();
  const specs = specsOf(options.state);
  let initial: Record<string, Value> | null = options.state;
  /** Done when all that was asked before has been sent to the thread. */
  let turn: Promise<unknown> = Promise.resolve();

  /** Sends after what was asked before; the thread answers in the order of sending. */
  const inTurn = <T>(ready: Promise<T>): Promise<T> => {
    begin();
    const mine = turn.then(() => ready);
    turn = mine.catch(() => {});
    return mine;
  };
  /** Not before it is needed, since a thread that nobody uses is not started; but before a session is opened on it. */
  const begin = () => {
    if (initial) host.write(feedsOf(initial)).catch(() => {});
    initial = null;
  };
  return {
    run(program, feeds, steps) {
      const inputs = specsOf(steps === null ? feeds : sliced(feeds, 0));
      const key = JSON.stringify([program, inputs]);
      begin();
      let opening = opened.get(key);
      if (!opening) {
        opening = open(host, programs.get(program)!, inputs, specs, options.provider ?? "cpu");
        opened.set(key, opening);
        opening.catch(() => opened.delete(key));
      }
      const feed = Object.fromEntries(Object.entries(feedsOf(feeds)).map(([name, value]) => [`feed/${name}`, value]));
      return host.run(inTurn(opening), feed, steps).then(named);
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
  provider: Provider,
): Promise<number> {
  const outputs: Record<string, string> = {};
  let updates: readonly Update[] = [];
  const inPlace = fits(state);
  const graph = trace(
    step.name,
    (tensors) => {
      const [feeds, entries] = [picked("feed", tensors), picked("state", tensors)];
      const given = inPlace ? step.apart(feeds, entries) : { ...step.call(feeds, entries), updates: [] };
      updates = given.updates;
      for (const entry of Object.keys(given.state)) outputs[`next/${entry}`] = entry;
      const own = updates.map(({ gradient, scalars }, i) => prefixed(`update/${i}`, { ...scalars, gradient }));
      return Object.assign({}, prefixed("output", given.outputs), prefixed("next", given.state), ...own);
    },
    { ...prefixed("feed", inputs), ...prefixed("state", state) },
  );
  const loops = updates.map((update, i) => loopFor(graph, update, i));
  // The join of a gradient whose pieces are taken one by one, as large as all parameters.
  prune(graph);
  const use: StateUse = { inputs: stateInputs(graph), outputs, updates: loops };
  const fitted = provider === "cpu" ? blockedConvolutions(graph) : graph;
  const { session } = await host.open(encode(nameResults(fitted)), { state: use });
  return session;
}

/** Entries that a program does not look at are no inputs of its graph; vectors that it only splits come in pieces. */
function stateInputs(graph: Graph): Record<string, Piece> {
  const used = new Set(graph.nodes.flatMap((node) => node.inputs));
  const pieces: Record<string, Piece> = {};
  for (const sym of graph.inputs.filter(({ name }) => name.startsWith("state/"))) {
    const entry = sym.name.slice("state/".length);
    const split = used.has(sym) ? splitInput(graph, sym) : null;
    if (split) for (const { at, value } of split) pieces[value.name] = { entry, at, shape: value.shape };
    else if (used.has(sym)) pieces[sym.name] = { entry };
    else graph.inputs.splice(graph.inputs.indexOf(sym), 1);
  }
  return pieces;
}

function loopFor(graph: Graph, { entries, scalars, formula, gradient, norm }: Update, i: number): InPlace {
  const names = Object.keys(scalars);
  const joined = graph.outputs.find(({ name }) => name === `update/${i}/gradient`)!;
  return {
    ...loopOf(formula, Object.keys(entries), names),
    vectors: Object.values(entries),
    length: gradient.size,
    gradient: splitOutput(graph, joined).map(({ at, value }) => ({ output: value.name, at, shape: value.shape })),
    scalars: names.map((name) => `update/${i}/${name}`),
    ...(norm !== undefined && { norm: `output/${norm}` }),
  };
}

/** Whether an arena can hold all vectors, and as much again for gradients, also while it grows. */
function fits(state: Record<string, InputSpec>): boolean {
  const sizes = Object.values(state).map(({ shape }) => bytesOf(shape.reduce((product, n) => product * n, 1)));
  return 2 * sizes.reduce((sum, bytes) => sum + bytes, 0) <= ARENA_BYTES;
}

function prefixed<T>(prefix: string, entries: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).map(([key, value]) => [`${prefix}/${key}`, value]));
}

function picked(prefix: string, tensors: Record<string, Tensor>): Record<string, Tensor> {
  const own = Object.entries(tensors).filter(([key]) => key.startsWith(`${prefix}/`));
  return Object.fromEntries(own.map(([key, tensor]) => [key.slice(prefix.length + 1), tensor]));
}

function named(results: Record<string, Value>): Record<string, Value> {
  return Object.fromEntries(Object.entries(results).map(([key, value]) => [key.slice("output/".length), value]));
}
