import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { PipeError } from "../errors.ts";
import { type Compiled, type CompileOptions, ENGINES, PROVIDERS } from "./types.ts";

const require = createRequire(import.meta.url);

/**
 * Which engine runs a function, and why. `auto` takes the first that works here of onnx, tensorflow, js. A named one
 * that does not work gives way to the first that does, and `why` says what it lacks.
 */
export function chooseEngine(options: CompileOptions): Compiled["engine"] {
  const wanted = options.engine ?? "auto";
  const provider = options.provider ?? "cpu";
  if (!ENGINES.includes(wanted)) throw unknown("engine", wanted, ENGINES);
  if (!PROVIDERS.includes(provider)) throw unknown("provider", provider, PROVIDERS);
  const lacks: string[] = [];
  for (const name of wanted === "auto" ? ORDER : [wanted, ...ORDER.filter((other) => other !== wanted)]) {
    const lack = PROBES[name]();
    if (lack === null)
      return { name, provider: name === "onnx" ? provider : null, why: why(wanted, name, provider, lacks) };
    lacks.push(`no ${name} (${lack})`);
  }
  throw new Error("the js engine works everywhere");
}

const ORDER = ["onnx", "tensorflow", "js"] as const;
const PROBES = { onnx: probeOnnx, tensorflow: probeTensorflow, js: () => null };

function why(wanted: string, taken: string, provider: string, lacks: readonly string[]): string {
  // Of the providers only the processor is known to work before a graph is opened.
  const other = provider === "cpu" ? "" : `; the provider ${provider} was asked for`;
  const end = other === "" || taken === "onnx" ? other : `${other}, and only onnx has it`;
  if (wanted === taken) return `asked for${end}`;
  if (wanted !== "auto") return `${wanted} was asked for, but there is ${lacks.join(", ")}${end}`;
  if (lacks.length > 0) return `auto: ${lacks.join(", ")}${end}`;
  return end === "" ? "auto: the fastest engine, and it works here" : `auto: the first choice${end}`;
}

/** Why ONNX Runtime cannot run here; null when it can. */
export function probeOnnx(): string | null {
  onnxLack ??= { lack: lookForOnnx() };
  return onnxLack.lack;
}

/**
 * Why @tensorflow/tfjs-node-gpu cannot run here; null when it multiplied two small matrices rightly. The trial runs in
 * a process of its own, since its native part prints, and on some Node versions crashes, while loading.
 */
export function probeTensorflow(): string | null {
  tensorflowLack ??= { lack: tryTensorflow() };
  return tensorflowLack.lack;
}

let onnxLack: { lack: string | null } | undefined;
let tensorflowLack: { lack: string | null } | undefined;

function lookForOnnx(): string | null {
  try {
    const root = dirname(require.resolve("onnxruntime-node/package.json"));
    const binding = join(root, "bin", "napi-v6", process.platform, process.arch, "onnxruntime_binding.node");
    return existsSync(binding) ? null : `onnxruntime-node has no build for ${process.platform} ${process.arch}`;
  } catch {
    return "the package onnxruntime-node is not installed";
  }
}

function tryTensorflow(): string | null {
  try {
    require.resolve("@tensorflow/tfjs-node-gpu");
  } catch {
    return "the optional package @tensorflow/tfjs-node-gpu is not installed";
  }
  const trial = `
    try {
      const tf = require("@tensorflow/tfjs-node-gpu");
      const product = tf.matMul(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[5], [6]])).dataSync();
      process.exit(tf.getBackend() === "tensorflow" && product[0] === 17 && product[1] === 39 ? 0 : 3);
    } catch (error) {
      process.stderr.write("\\n\\u0000" + String(error.message).split("\\n")[0]);
      process.exit(4);
    }`;
  const child = spawnSync(process.execPath, ["-e", trial], {
    cwd: dirname(require.resolve("@tensorflow/tfjs-node-gpu/package.json")),
    encoding: "utf8",
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  if (child.status === 0) return null;
  if (child.status === 3) return "@tensorflow/tfjs-node-gpu multiplies matrices wrongly";
  // Reasons are kept with results, so they name files without this machine's folders.
  const reason = child.stderr
    .split("\u0000")[1]
    ?.replace(/\S*[\\/]/g, "")
    .replace(/[\s.]+$/, "");
  return `@tensorflow/tfjs-node-gpu does not load: ${reason ?? child.signal ?? `exit code ${child.status}`}`;
}

function unknown(what: string, given: string, valid: readonly string[]): PipeError {
  return new PipeError(`There is no ${what} "${given}".`, { hint: `Valid: ${valid.join(", ")}.` });
}
