import { PipeError } from "../errors.ts";
import { eagerExecutor } from "./eager.ts";
import { chooseEngine } from "./engines.ts";
import type { Graph } from "./graph.ts";
import { registerTracing } from "./kernels/index.ts";
import { encode } from "./onnx.ts";
import { onnxExecutor } from "./onnx-engine.ts";
import { type OpenInput, traceOpen } from "./open-batch.ts";
import { type InputSpec, trace } from "./trace.ts";
import type { Compiled, CompileOptions, Program, Value } from "./types.ts";

/**
 * Makes a function that runs on the chosen engine; nothing is traced before the first `run` for its shapes.
 * The returned object owns what it opens: `dispose` it (or `await using`).
 */
export function compile(program: Program, options: CompileOptions): Compiled {
  const { name } = options;
  const engine = chooseEngine(options);
  registerTracing();
  const executor = engine.name === "onnx" ? onnxExecutor(program, options) : eagerExecutor(name, program, engine.name);
  let disposed: Promise<void> | undefined;
  const dispose = () => {
    disposed ??= executor.dispose();
    return disposed;
  };
  return {
    name,
    engine,
    async run(feeds) {
      if (disposed) throw new PipeError(`${name} was run after it was disposed.`);
      checkFeeds(name, feeds);
      return executor.run(feeds);
    },
    toOnnx: (inputs, metadata) => encode(graphOf(name, program, inputs), metadata),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function graphOf(name: string, program: Program, inputs: Record<string, OpenInput>): Graph {
  const isOpen = Object.values(inputs).some(({ shape }) => shape.some((size) => typeof size === "string"));
  return isOpen ? traceOpen(name, program, inputs) : trace(name, program, inputs as Record<string, InputSpec>);
}

/** Throws unless each feed's length is its shape's product; `what` is what errors call it. */
export function checkFeeds(name: string, feeds: Record<string, Value>, what = "feed"): void {
  for (const [key, { data, shape }] of Object.entries(feeds)) {
    const size = shape.reduce((product, length) => product * length, 1);
    const whole = shape.every((length) => Number.isInteger(length) && length >= 0);
    if (!whole || size !== data.length)
      throw new PipeError(
        `${name}: the ${what} "${key}" has ${data.length} values, but its shape [${shape.join(", ")}] needs ${size}.`,
      );
  }
}
