import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import * as ort from "onnxruntime-node";
import { fromRuntime, toRuntime } from "./dtypes.ts";
import type { Feed, Reply, Request, SessionInfo, SessionSettings, StateUse } from "./session-protocol.ts";
import { SessionState } from "./session-state.ts";
import { sliced, stacked } from "./slices.ts";
import type { Value } from "./types.ts";

/** The worker's side of session.ts: sessions by number, one request after the other. */
const port = parentPort as MessagePort;
const settings = workerData as SessionSettings;
const sessions = new Map<number, Opened>();
const state = new SessionState();

interface Opened {
  readonly session: ort.InferenceSession;
  readonly use: StateUse;
  readonly updates: ReturnType<SessionState["prepare"]>;
}
type Opening = Extract<Request, { kind: "open" }>;
const NO_STATE: StateUse = { inputs: {}, outputs: {}, updates: [] };

let queue: Promise<void> = Promise.resolve();
port.on("message", (request: Request) => {
  queue = queue.then(() => answer(request));
});

async function answer(request: Request): Promise<void> {
  try {
    const { reply, transfer } = await handle(request);
    port.postMessage(reply, transfer);
  } catch (error) {
    const reply: Reply = { id: request.id, error: error instanceof Error ? error.message : String(error) };
    port.postMessage(reply);
  }
}

async function handle(request: Request): Promise<{ reply: Reply; transfer: ArrayBuffer[] }> {
  const { id } = request;
  switch (request.kind) {
    case "open": {
      checkProvider();
      const session = await ort.InferenceSession.create(request.model, sessionOptions(request));
      const use = request.state ?? NO_STATE;
      sessions.set(request.session, { session, use, updates: state.prepare(use.updates) });
      return { reply: { id, info: describe(session) }, transfer: [] };
    }
    case "run": {
      const opened = sessions.get(request.session)!;
      const { feeds, steps, outputs } = request;
      let values: Record<string, Value>;
      if (steps === null) values = await step(opened, feeds, outputs);
      else {
        const each: Record<string, Value>[] = [];
        for (let i = 0; i < steps; i++) each.push(await step(opened, sliced(feeds, i)));
        values = stacked(each);
      }
      const transfer = new Set(Object.values(values).map(({ data }) => data.buffer as ArrayBuffer));
      return { reply: { id, values }, transfer: [...transfer] };
    }
    case "write": {
      for (const [name, feed] of Object.entries(request.values)) state.write(feed, name);
      return { reply: { id }, transfer: [] };
    }
    case "read": {
      const copies = request.names.map((name) => {
        const { data, dims, type } = state.get(name);
        return [name, { data: fromRuntime(name, data, type).slice(), shape: dims }] as const;
      });
      const values = Object.fromEntries(copies);
      return { reply: { id, values }, transfer: copies.map(([, { data }]) => data.buffer as ArrayBuffer) };
    }
    case "close": {
      for (const { session } of sessions.values()) await session.release();
      sessions.clear();
      state.clear();
      return { reply: { id }, transfer: [] };
    }
  }
}

async function step(
  { session, use, updates }: Opened,
  given: Record<string, Feed>,
  outputs: readonly string[] = session.outputNames,
): Promise<Record<string, Value>> {
  const feeds = state.feeds(use.inputs);
  for (const [name, { data, shape, type }] of Object.entries(given))
    feeds[name] = new ort.Tensor(type, toRuntime(data, type) as ort.Tensor["data"], shape) as ort.Tensor;
  const fetches: Record<string, ort.Tensor | null> = {};
  for (const name of outputs) fetches[name] = null;
  for (const update of updates) Object.assign(fetches, update.fetches());
  const results: Record<string, ort.Tensor> = { ...(await session.run(feeds, fetches)) };
  // After the run: one that fails leaves the state as it was.
  for (const [name, entry] of Object.entries(use.outputs)) {
    state.set(entry, results[name]!);
    delete results[name];
  }
  for (const update of updates) update.apply(results);
  return Object.fromEntries(
    Object.entries(results).map(([name, { data, dims, type }]) => [
      name,
      { data: fromRuntime(name, data, type), shape: dims },
    ]),
  );
}

/** ONNX Runtime leaves out a provider that it was not built with and takes the processor instead. */
function checkProvider(): void {
  const known = ort.listSupportedBackends().map(({ name }) => name);
  if (!known.includes(settings.provider))
    throw new Error(
      `the provider ${settings.provider} is not in the ONNX Runtime for this machine, which has ${known.join(", ")}`,
    );
}

function sessionOptions({ optimisedPath, external = [] }: Opening): ort.InferenceSession.SessionOptions {
  const { provider, threads } = settings;
  return {
    executionProviders: provider === "cpu" ? ["cpu"] : [provider, "cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    // Errors come back as rejections; ONNX Runtime's own log lines would only repeat them.
    logSeverityLevel: 4,
    ...(optimisedPath !== undefined && { optimizedModelFilePath: optimisedPath }),
    // The binding takes one leading "./" off.
    externalData: external.map(({ location, data }) => ({
      path: location.startsWith("./") ? `./${location}` : location,
      data,
    })),
    extra: {
      session: {
        // Activations that fade away must not slow the processor down.
        set_denormal_as_zero: "1",
        // How long a thread keeps its core busy waiting for its share of the next node. ONNX Runtime's own choice, about
        // a thousand times as long, halves the speed of models and decoders that share cores; none at all costs a small
        // model a quarter when it is alone.
        intra_op: { allow_spinning: "1", spin_duration_us: "50" },
      },
    },
  };
}

function describe(session: ort.InferenceSession): SessionInfo {
  const plain = (meta: readonly ort.InferenceSession.ValueMetadata[]) =>
    meta.map((info) =>
      info.isTensor
        ? { name: info.name, dtype: info.type, shape: [...info.shape] }
        : { name: info.name, dtype: "not a tensor", shape: [] },
    );
  return { inputs: plain(session.inputMetadata), outputs: plain(session.outputMetadata) };
}
