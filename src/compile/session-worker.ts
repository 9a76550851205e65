import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import * as ort from "onnxruntime-node";
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
      const session = await ort.InferenceSession.create(request.model, sessionOptions(request.optimisedPath));
      const use = request.state ?? NO_STATE;
      sessions.set(request.session, { session, use, updates: state.prepare(use.updates) });
      return { reply: { id, info: describe(session) }, transfer: [] };
    }
    case "run": {
      const opened = sessions.get(request.session)!;
      const { feeds, steps } = request;
      let values: Record<string, Value>;
      if (steps === null) values = await step(opened, feeds);
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
        const { data, dims } = state.get(name);
        return [name, { data: narrow(data).slice(), shape: dims }] as const;
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

async function step({ session, use, updates }: Opened, given: Record<string, Feed>): Promise<Record<string, Value>> {
  const feeds = state.feeds(use.inputs);
  for (const [name, { data, shape, type }] of Object.entries(given)) feeds[name] = new ort.Tensor(type, data, shape);
  const fetches: Record<string, ort.Tensor | null> = {};
  for (const name of session.outputNames) fetches[name] = null;
  for (const update of updates) Object.assign(fetches, update.fetches());
  const results: Record<string, ort.Tensor> = { ...(await session.run(feeds, fetches)) };
  // After the run: one that fails leaves the state as it was.
  for (const [name, entry] of Object.entries(use.outputs)) {
    state.set(entry, results[name]!);
    delete results[name];
  }
  for (const update of updates) update.apply(results);
  return Object.fromEntries(
    Object.entries(results).map(([name, { data, dims }]) => [name, { data: narrow(data), shape: dims }]),
  );
}

function sessionOptions(optimisedPath: string | undefined): ort.InferenceSession.SessionOptions {
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

/** Values hold float32, int32 or bytes; wider whole numbers are narrowed. */
function narrow(data: ort.Tensor["data"]): Value["data"] {
  if (data instanceof Float32Array || data instanceof Int32Array || data instanceof Uint8Array) return data;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Int32Array.from(data, Number);
  if (data instanceof Float64Array) return Float32Array.from(data);
  if (data instanceof Int8Array || data instanceof Int16Array || data instanceof Uint16Array)
    return Int32Array.from(data);
  throw new Error("an output is of a type that cannot be returned: only numbers and truth values can");
}
