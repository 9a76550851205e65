import { basename } from "node:path";
import { PipeError, reasonOf } from "../errors.ts";
import { checkFeeds } from "./compile.ts";
import { type Dtype, fits, isDtype } from "./dtypes.ts";
import { metadataOf } from "./onnx.ts";
import { dtypeOf } from "./onnx-engine.ts";
import { inOneFile, readOnnx } from "./onnx-file.ts";
import { adviceFor } from "./onnx-trouble.ts";
import { SessionHost } from "./session.ts";
import type { Feed, TensorInfo } from "./session-protocol.ts";
import type { CompileOptions, OnnxModel, Value } from "./types.ts";

export interface OpenOptions extends Partial<Pick<CompileOptions, "name" | "provider" | "threads">> {}

/**
 * Opens an `.onnx` file, or its bytes, in a worker thread of its own. Axes of any length are strings in `shape`. Weights
 * in a second file (PyTorch's external data) are read from beside the file that is named, and nowhere else; bytes alone
 * cannot have such.
 *
 * Values are float32, int32 or bytes and are converted to what the model takes: float32 to float16 (nearest even) or
 * float64, whole numbers to whole numbers of any width that hold them, bytes to truth values; back likewise, where int64
 * becomes int32.
 *
 * @throws PipeError when a file is missing or ONNX Runtime refuses it, and from `run` when feeds do not fit: it names the
 *   feed, says what it is and what is needed
 */
export async function openOnnx(source: string | Uint8Array, options: OpenOptions = {}): Promise<OnnxModel> {
  const name = options.name ?? (typeof source === "string" ? basename(source) : "an ONNX model");
  const { bytes, external, digest } =
    typeof source === "string" ? await readOnnx(source) : inOneFile(source, options.name);
  const host = new SessionHost(name, options);
  let opened: Awaited<ReturnType<SessionHost["open"]>>;
  try {
    opened = await host.open(bytes, { external });
  } catch (cause) {
    await host.close();
    const reason = reasonOf(cause).replace(`${name} failed in `, "");
    throw new PipeError(`${name} cannot be opened as an ONNX model: ${reason}`, {
      hint: adviceFor(bytes, reason),
      cause,
    });
  }
  const { session, info } = opened;
  const dispose = () => host.close();
  return {
    name,
    digest,
    metadata: metadataOf(bytes),
    inputs: info.inputs,
    outputs: info.outputs,
    async run(feeds, outputs) {
      checkFeeds(name, feeds);
      for (const output of outputs ?? [])
        if (!info.outputs.some((each) => each.name === output))
          throw new PipeError(`${name} has no output "${output}".`, { hint: `Its outputs: ${listed(info.outputs)}.` });
      return host.run(session, fitted(name, info.inputs, feeds), null, outputs);
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Inputs or outputs in words: `face float32 [n, 3, 224, 224]; …` */
export function listed(values: readonly TensorInfo[]): string {
  return values.map(({ name, dtype, shape }) => `${name} ${dtype} [${shape.join(", ")}]`).join("; ") || "none";
}

function fitted(name: string, inputs: readonly TensorInfo[], feeds: Record<string, Value>): Record<string, Feed> {
  const known = listed(inputs);
  for (const key of Object.keys(feeds))
    if (!inputs.some((input) => input.name === key))
      throw new PipeError(`${name} has no input "${key}".`, { hint: `Its inputs: ${known}.` });
  return Object.fromEntries(
    inputs.map((input): [string, Feed] => {
      const value = feeds[input.name];
      if (!value)
        throw new PipeError(`${name} needs the input "${input.name}".`, {
          hint: `Given: ${Object.keys(feeds).join(", ") || "nothing"}. Its inputs: ${known}.`,
        });
      const { shape } = value;
      const fits =
        shape.length === input.shape.length &&
        input.shape.every((length, axis) => typeof length === "string" || length < 0 || length === shape[axis]);
      if (!fits)
        throw new PipeError(
          `${name}: the input "${input.name}" has the shape [${shape.join(", ")}], but [${input.shape.join(", ")}] is needed.`,
        );
      return [input.name, { ...value, type: typeFor(name, input, value) }];
    }),
  );
}

function typeFor(name: string, input: TensorInfo, value: Value): Dtype {
  const { dtype } = input;
  if (!isDtype(dtype))
    throw new PipeError(
      `${name}: the input "${input.name}" is ${dtype}, and only numbers and truth values can be given.`,
    );
  if (fits(value.data, dtype)) return dtype;
  const given = dtypeOf(value);
  const whole = given !== "float32" && /int/.test(dtype);
  throw new PipeError(
    `${name}: the input "${input.name}" is ${given}, but ${dtype} is needed${whole ? ", and some numbers do not fit into it" : ""}.`,
  );
}
