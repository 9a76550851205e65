import { channelBlocks } from "./channel-blocks.ts";
import type { Executor } from "./executor.ts";
import { encode } from "./onnx.ts";
import { SessionHost } from "./session.ts";
import type { Feed } from "./session-protocol.ts";
import { type InputSpec, trace } from "./trace.ts";
import type { CompileOptions, Program, Provider, Value } from "./types.ts";

/** Runs the traced graph in ONNX Runtime: one graph and session for each set of input shapes, made when first met. */
export function onnxExecutor(program: Program, options: CompileOptions): Executor {
  const { name, provider = "cpu" } = options;
  const host = new SessionHost(name, options);
  const sessions = new Map<string, Promise<number>>();
  return {
    async run(feeds) {
      const specs = specsOf(feeds);
      const key = JSON.stringify(specs);
      let session = sessions.get(key);
      if (!session) {
        // Kept as a promise: calls that come while it is being made wait for the same one.
        session = open(host, name, program, specs, provider);
        sessions.set(key, session);
        session.catch(() => sessions.delete(key));
      }
      return host.run(session, feedsOf(feeds));
    },
    dispose: () => host.close(),
  };
}

async function open(
  host: SessionHost,
  name: string,
  program: Program,
  specs: Record<string, InputSpec>,
  provider: Provider,
): Promise<number> {
  const graph = trace(name, program, specs);
  const { session } = await host.open(encode(provider === "cpu" ? channelBlocks(graph) : graph));
  return session;
}

export function specsOf(feeds: Record<string, Value>): Record<string, InputSpec> {
  const names = Object.keys(feeds).sort();
  return Object.fromEntries(names.map((key) => [key, { shape: [...feeds[key]!.shape], dtype: dtypeOf(feeds[key]!) }]));
}

export function feedsOf(values: Record<string, Value>): Record<string, Feed> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]): [string, Feed] => [key, { ...value, type: dtypeOf(value) }]),
  );
}

export function dtypeOf({ data }: Value): InputSpec["dtype"] {
  return data instanceof Float32Array ? "float32" : data instanceof Int32Array ? "int32" : "uint8";
}
