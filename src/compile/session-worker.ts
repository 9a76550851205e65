import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import * as ort from "onnxruntime-node";
import type { Reply, Request, SessionInfo, SessionSettings } from "./session-protocol.ts";
import type { Value } from "./types.ts";

/** The worker's side of session.ts: sessions by number, one request after the other. */
const port = parentPort as MessagePort;
const settings = workerData as SessionSettings;
const sessions = new Map<number, ort.InferenceSession>();
/** What programs remember from run to run. An entry's tensor is never written to: a run puts a new one in its place. */
const state = new Map<string, ort.Tensor>();

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
      sessions.set(request.session, session);
      return { reply: { id, info: describe(session) }, transfer: [] };
    }
    case "run": {
      const session = sessions.get(request.session)!;
      const feeds: Record<string, ort.Tensor> = {};
      for (const [name, { data, shape, type }] of Object.entries(request.feeds))
        feeds[name] = new ort.Tensor(type, data, shape);
      for (const [name, entry] of Object.entries(request.state?.inputs ?? {})) feeds[name] = state.get(entry)!;
      const results = await session.run(feeds);
      // After the run: one that fails leaves the state as it was.
      for (const [name, entry] of Object.entries(request.state?.outputs ?? {})) {
        state.set(entry, results[name]!);
        delete (results as Record<string, ort.Tensor>)[name];
      }
      const values: Record<string, Value> = {};
      const transfer = new Set<ArrayBuffer>();
      for (const [name, tensor] of Object.entries(results)) {
        const data = narrow(tensor.data);
        values[name] = { data, shape: tensor.dims };
        transfer.add(data.buffer as ArrayBuffer);
      }
      return { reply: { id, values }, transfer: [...transfer] };
    }
    case "write": {
      for (const [name, { data, shape, type }] of Object.entries(request.values))
        state.set(name, new ort.Tensor(type, data, shape));
      return { reply: { id }, transfer: [] };
    }
    case "read": {
      const copies = request.names.map((name) => {
        const { data, dims } = state.get(name)!;
        return [name, { data: narrow(data).slice(), shape: dims }] as const;
      });
      const values = Object.fromEntries(copies);
      return { reply: { id, values }, transfer: copies.map(([, { data }]) => data.buffer as ArrayBuffer) };
    }
    case "close": {
      for (const session of sessions.values()) await session.release();
      sessions.clear();
      state.clear();
      return { reply: { id }, transfer: [] };
    }
  }
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
