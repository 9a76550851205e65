import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { digestOf } from "../digest.ts";
import { PipeError, reasonOf } from "../errors.ts";
import { checkFeeds } from "./compile.ts";
import { dtypeOf } from "./onnx-engine.ts";
import { SessionHost } from "./session.ts";
import type { Feed, FeedType, TensorInfo } from "./session-protocol.ts";
import type { CompileOptions, OnnxModel, Value } from "./types.ts";

export interface OpenOptions extends Partial<Pick<CompileOptions, "name" | "provider" | "threads">> {}

/**
 * Opens an `.onnx` file, or its bytes, in a worker thread of its own. Axes of any length are strings in `shape`.
 * Throws a PipeError when the file is missing or ONNX Runtime refuses it, and from `run` when feeds do not fit:
 * it names the feed, says what it is and what is needed.
 */
export async function openOnnx(source: string | Uint8Array, options: OpenOptions = {}): Promise<OnnxModel> {
  const name = options.name ?? (typeof source === "string" ? basename(source) : "an ONNX model");
  const file = typeof source === "string" ? await read(source) : source;
  const host = new SessionHost(name, options);
  let opened: Awaited<ReturnType<SessionHost["open"]>>;
  try {
    opened = await host.open(file);
  } catch (cause) {
    await host.close();
    throw new PipeError(`${name} cannot be opened as an ONNX model: ${reasonOf(cause)}`, {
      hint: "The file may be cut short, or written for a newer ONNX Runtime.",
      cause,
    });
  }
  const { session, info } = opened;
  const dispose = () => host.close();
  return {
    name,
    digest: digestOf(file),
    inputs: info.inputs,
    outputs: info.outputs,
    async run(feeds) {
      checkFeeds(name, feeds);
      return host.run(session, fitted(name, info.inputs, feeds));
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new PipeError(`${path} cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

function fitted(name: string, inputs: readonly TensorInfo[], feeds: Record<string, Value>): Record<string, Feed> {
  const known = inputs.map((input) => `${input.name} ${input.dtype}[${input.shape.join(", ")}]`).join("; ");
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
      const given = dtypeOf(value);
      const type: FeedType = input.dtype === "bool" && given === "uint8" ? "bool" : given;
      if (type !== input.dtype)
        throw new PipeError(`${name}: the input "${input.name}" is ${given}, but ${input.dtype} is needed.`);
      return [input.name, { ...value, type }];
    }),
  );
}
