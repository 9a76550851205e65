import { open, readFile, realpath, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, posix, relative, resolve, sep, win32 } from "node:path";
import { digestOf } from "../digest.ts";
import { PipeError, reasonOf } from "../errors.ts";
import { type ExternalTensor, externalTensors } from "./onnx-external.ts";

/** An `.onnx` file, read whole, with the files that its weights are in. */
export interface OnnxFile {
  readonly bytes: Uint8Array;
  /** By the location that the file writes. */
  readonly external: readonly { readonly location: string; readonly data: Uint8Array }[];
  /** sha256 of the file; where its weights are in other files, of its own sha256 and theirs. */
  readonly digest: string;
}

/**
 * Reads an `.onnx` file and its external data, which is looked for beside it alone: in its folder, or where it is a link,
 * in the folder of the real file. The current folder has no part in it.
 *
 * @throws PipeError when a file is missing, too short or no regular file, and when a location leads out of the folder
 */
export async function readOnnx(path: string): Promise<OnnxFile> {
  const bytes = await bytesOf(path);
  const tensors = externalTensors(bytes);
  if (tensors.length === 0) return inOneFile(bytes);
  checkReadable(path, tensors);
  const homes = [await realpath(dirname(resolve(path))), dirname(await realpath(path))];
  const external: { location: string; data: Uint8Array }[] = [];
  const missing: string[] = [];
  for (const [location, own] of byLocation(tensors)) {
    const file = await locate(path, location, homes);
    if (file === undefined) missing.push(location);
    else external.push({ location, data: await readWhole(path, file, own) });
  }
  if (missing.length > 0)
    throw new PipeError(`${path} keeps its weights in ${missing.map((each) => `"${each}"`).join(", ")}, not found.`, {
      hint: `Put ${missing.length === 1 ? "that file" : "those files"} into ${dirname(resolve(path))}, beside the model, under that name; or save the model as one file (torch.onnx.export with external_data=False).`,
    });
  const digests = Object.fromEntries(external.map(({ location, data }) => [location, digestOf(data)]));
  return { bytes, external, digest: digestOf({ file: digestOf(bytes), external: digests }) };
}

/** An `.onnx` file of which only the bytes are known. Throws a PipeError when its weights are elsewhere. */
export function inOneFile(bytes: Uint8Array, name = "The model"): OnnxFile {
  const [first] = externalTensors(bytes);
  if (first)
    throw new PipeError(
      `${name} keeps its weights in "${first.location}", and only the model's own bytes were given.`,
      {
        hint: "Give the path of the .onnx file: its weights are then found beside it.",
      },
    );
  return { bytes, external: [], digest: digestOf(bytes) };
}

async function bytesOf(path: string): Promise<Uint8Array> {
  try {
    // A FIFO or a device would block or never end.
    if (!(await stat(path)).isFile()) throw new PipeError("it is not a regular file.");
    return await readFile(path);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new PipeError(`The model ${path} cannot be read: ${missing ? "it does not exist." : reasonOf(cause)}`, {
      hint: "Give the path of an .onnx file.",
      cause,
    });
  }
}

function byLocation(tensors: readonly ExternalTensor[]): Map<string, ExternalTensor[]> {
  const files = new Map<string, ExternalTensor[]>();
  for (const tensor of tensors) files.set(tensor.location, [...(files.get(tensor.location) ?? []), tensor]);
  return files;
}

function checkReadable(path: string, tensors: readonly ExternalTensor[]): void {
  for (const { name, location, offset, length, outermost } of tensors) {
    const leaves = posix.isAbsolute(location) || win32.isAbsolute(location) || location.split(/[\\/]/).includes("..");
    if (leaves || location === "") throw outside(path, location);
    // ONNX Runtime takes these from the current folder, whatever it is given.
    if (!outermost)
      throw new PipeError(
        `${path}: the tensor "${name}" is inside a branch, a loop or a function and has its numbers in "${location}", which cannot be opened.`,
        { hint: "Save the model as one file (torch.onnx.export with external_data=False)." },
      );
    const whole = [offset, length ?? 0].every((x) => Number.isSafeInteger(x) && x >= 0);
    if (!whole) throw new PipeError(`${path}: the place of the tensor "${name}" in "${location}" is no whole number.`);
  }
}

function outside(path: string, location: string): PipeError {
  return new PipeError(`${path} keeps its weights in "${location}", which is not a file in the model's folder.`, {
    hint: "Weights are taken from beside the model alone. Save the model again with its weights in the same folder, or in one file.",
  });
}

/** The real path; undefined where there is no such file. */
async function locate(path: string, location: string, homes: readonly string[]): Promise<string | undefined> {
  for (const home of homes) {
    const real = await realpath(join(home, location)).catch(() => undefined);
    if (real === undefined) continue;
    if (homes.some((each) => isWithin(real, each))) return real;
    throw outside(path, location);
  }
  return undefined;
}

function isWithin(file: string, folder: string): boolean {
  const way = relative(folder, file);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** In pieces, since `readFile` ends at 2 GiB. */
async function readWhole(path: string, file: string, tensors: readonly ExternalTensor[]): Promise<Uint8Array> {
  if (!(await stat(file)).isFile())
    throw new PipeError(`${path}: ${file}, where its weights are, is not a regular file.`);
  await using handle = await open(file, "r");
  const { size } = await handle.stat();
  for (const { name, offset, length } of tensors)
    if (offset + (length ?? 0) > size)
      throw new PipeError(
        `${path}: the tensor "${name}" ends at byte ${offset + (length ?? 0)} of ${file}, which has ${size}.`,
        { hint: "Is the file cut short, or of another model? Copy it again." },
      );
  const data = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await handle.read(data, at, Math.min(size - at, 1 << 28), at);
    if (bytesRead === 0) throw new PipeError(`${file} became shorter while it was read.`);
    at += bytesRead;
  }
  return data;
}
