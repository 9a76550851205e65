import { endianness } from "node:os";
import { PipeError } from "../errors.ts";
import { fromFloat16, toFloat16 } from "../float16.ts";
import { sizeOf, type Weight, type Weights } from "./weights.ts";

/**
 * The safetensors format (Hugging Face): a little-endian u64 length N, N bytes of JSON
 * `{ name: { dtype, shape, data_offsets: [begin, end] }, …, "__metadata__": { text: text } }`, then the tensors' bytes,
 * little-endian and row-major, which must tile the rest of the file without gap or overlap.
 */
export type StoredType = "f32" | "f16";

/** Longest header accepted, as in the reference implementation. */
const LONGEST_HEADER = 100_000_000;
const METADATA = "__metadata__";

/** The file's bytes. Tensors lie in the map's order; f16 rounds to nearest even. */
export function encodeSafetensors(
  weights: Weights,
  { metadata = {}, dtype = "f32" }: { metadata?: Readonly<Record<string, string>>; dtype?: StoredType } = {},
): Uint8Array {
  const width = dtype === "f32" ? 4 : 2;
  let end = 0;
  const entries = Array.from(weights, ([name, { shape, data }]) => {
    if (name === METADATA) throw new PipeError(`A tensor cannot be named "${METADATA}".`);
    const begin = end;
    end += data.length * width;
    return [name, { dtype: dtype.toUpperCase(), shape, data_offsets: [begin, end] }] as const;
  });
  const named = Object.keys(metadata).length > 0 ? [[METADATA, metadata] as const] : [];
  const json = Buffer.from(JSON.stringify(Object.fromEntries([...named, ...entries])));
  // Trailing spaces are allowed, and put the tensors on a multiple of 8 bytes.
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length + end);
  bytes.fill(0x20, 8, 8 + length).set(json, 8);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(length), true);
  let at = 8 + length;
  for (const { data } of weights.values()) {
    if (width === 4 && LITTLE_ENDIAN) bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    else for (let i = 0; i < data.length; i++) put(view, at + i * width, data[i]!, width);
    at += data.length * width;
  }
  return bytes;
}

function put(view: DataView, at: number, x: number, width: 2 | 4): void {
  if (width === 4) view.setFloat32(at, x, true);
  else view.setUint16(at, toFloat16(x), true);
}

// Where memory has the file's byte order, tensors are copied whole: training writes hundreds of megabytes at a time.
const LITTLE_ENDIAN = endianness() === "LE";

/**
 * The tensors of a file, in the order of their bytes, as float32. Nothing is believed before it was checked, and no
 * more is allocated than the file is long; throws a PipeError that says what is wrong.
 */
export function decodeSafetensors(bytes: Uint8Array): {
  weights: Weights;
  metadata: Readonly<Record<string, string>>;
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { header, start } = headerOf(view);
  const { [METADATA]: notes, ...tensors } = header;
  const entries = Object.entries(tensors)
    .map(([name, entry]) => entryOf(name, entry))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  let reached = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== reached)
      throw new PipeError(
        `the tensor "${name}" begins at byte ${begin}, but ${begin < reached ? "the one before it ends" : "nothing covers the bytes from"} ${begin < reached ? "at " : ""}${reached}.`,
      );
    reached = end;
  }
  const rest = bytes.byteLength - start;
  if (reached !== rest)
    throw new PipeError(
      `its tensors take ${reached} bytes, but ${rest} follow the header: it is cut short or damaged.`,
    );
  return {
    weights: new Map(entries.map((entry): [string, Weight] => [entry.name, read(view, start, entry)])),
    metadata: metadataOf(notes),
  };
}

interface Entry {
  readonly name: string;
  readonly dtype: "F32" | "F16";
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function headerOf(view: DataView): { header: Record<string, unknown>; start: number } {
  if (view.byteLength < 8) throw new PipeError(`it has ${view.byteLength} bytes, too few for a safetensors file.`);
  const length = view.getBigUint64(0, true);
  if (length > LONGEST_HEADER || length > view.byteLength - 8)
    throw new PipeError(
      `its header claims ${length} bytes, but ${view.byteLength - 8} follow and ${LONGEST_HEADER} is the most allowed.`,
    );
  const start = 8 + Number(length);
  let header: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true });
    header = JSON.parse(text.decode(new Uint8Array(view.buffer, view.byteOffset + 8, Number(length))));
  } catch (cause) {
    throw new PipeError("its header is not JSON.", { cause });
  }
  if (!isObject(header)) throw new PipeError("its header is not a JSON object.");
  return { header, start };
}

function entryOf(name: string, entry: unknown): Entry {
  const { dtype, shape, data_offsets: offsets } = isObject(entry) ? entry : {};
  if (dtype !== "F32" && dtype !== "F16")
    throw new PipeError(`the tensor "${name}" has the dtype ${JSON.stringify(dtype)}; F32 and F16 are known.`);
  if (!isLengths(shape)) throw new PipeError(`the tensor "${name}" has no valid shape: ${JSON.stringify(shape)}.`);
  if (!isLengths(offsets) || offsets.length !== 2)
    throw new PipeError(`the tensor "${name}" has no valid data_offsets: ${JSON.stringify(offsets)}.`);
  const [begin, end] = offsets as [number, number];
  const needed = sizeOf(shape) * (dtype === "F32" ? 4 : 2);
  if (end - begin !== needed)
    throw new PipeError(
      `the tensor "${name}" takes bytes ${begin} to ${end}, but its shape [${shape.join(", ")}] needs ${needed}.`,
    );
  return { name, dtype, shape, begin, end };
}

function metadataOf(notes: unknown): Readonly<Record<string, string>> {
  if (notes === undefined) return {};
  if (!isObject(notes) || !Object.values(notes).every((note) => typeof note === "string"))
    throw new PipeError(`its ${METADATA} is not a map of text to text.`);
  return notes as Record<string, string>;
}

function read(view: DataView, start: number, { dtype, shape, begin }: Entry): Weight {
  const data = new Float32Array(sizeOf(shape));
  if (dtype === "F32" && LITTLE_ENDIAN) {
    const from = new Uint8Array(view.buffer, view.byteOffset + start + begin, data.byteLength);
    new Uint8Array(data.buffer).set(from);
    return { shape, data };
  }
  for (let i = 0; i < data.length; i++)
    data[i] =
      dtype === "F32"
        ? view.getFloat32(start + begin + i * 4, true)
        : fromFloat16(view.getUint16(start + begin + i * 2, true));
  return { shape, data };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isLengths(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}
