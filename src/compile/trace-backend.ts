import * as tf from "@tensorflow/tfjs-core";
import { PipeError } from "../errors.ts";
import type { ElementType, Graph, Numbers, Sym } from "./graph.ts";
import { convert, extend, isLogical, type Layout, logical, permute, physical } from "./layout.ts";

/** The tracing backend's name in TensorFlow.js. */
export const TRACE = "trace";

type DType = "float32" | "int32" | "bool";
/** Numbers known while tracing (weights, results of constants), or a value of the graph with its layout. */
type Data =
  | { readonly values: tf.BackendValues; refs: number }
  | { readonly sym: Sym; readonly layout: Layout; refs: number };

/**
 * A TensorFlow.js backend that computes nothing: its kernels append nodes to the graph in hand. Tensors of other
 * backends (weights) arrive through TensorFlow.js' data mover with their numbers and become constants where used.
 */
export class TraceBackend extends tf.KernelBackend {
  readonly #data: tf.DataStorage<Data>;
  #graph: Graph | null = null;

  constructor() {
    super();
    this.#data = new tf.DataStorage<Data>(this, tf.engine());
  }

  /** The graph in hand. */
  get graph(): Graph {
    if (!this.#graph) throw new Error("the tracing backend is in force, but nothing is being traced");
    return this.#graph;
  }

  within<T>(graph: Graph, body: () => T): T {
    const outer = this.#graph;
    this.#graph = graph;
    try {
      return body();
    } finally {
      this.#graph = outer;
    }
  }

  /** The tensor's numbers, if they are known while tracing. */
  values(info: tf.TensorInfo): Numbers | null {
    const data = this.#data.get(info.dataId);
    if ("sym" in data) return null;
    if (info.dtype !== "float32" && info.dtype !== "int32" && info.dtype !== "bool")
      throw new PipeError(`${this.graph.name} uses a tensor of dtype ${info.dtype}, which cannot be compiled.`, {
        hint: "float32, int32 and bool can.",
      });
    return typed(data.values as ArrayLike<number>, info.dtype);
  }

  /** How it lies in memory; null when it is constant and can be had in any layout. */
  layout(info: tf.TensorInfo): Layout | null {
    const data = this.#data.get(info.dataId);
    return "sym" in data ? data.layout : null;
  }

  /** Its value in a layout, the logical order if none is said. */
  take(info: tf.TensorInfo, layout: Layout = logical(info.shape.length)): Sym {
    const values = this.values(info);
    if (values) {
      const data = isLogical(layout) ? values : permute(values, info.shape, layout);
      return this.graph.constant(data, physical(info.shape, layout), info.dtype as ElementType);
    }
    const data = this.#data.get(info.dataId) as { sym: Sym; layout: Layout };
    return convert(this.graph, data.sym, data.layout, layout);
  }

  /**
   * Its value for a broadcast against tensors of rank `layout.length`, which lie as `layout` says. Leading axes that
   * broadcasting supplies anyway are left off.
   */
  takeBroadcast(info: tf.TensorInfo, layout: Layout): Sym {
    const extra = layout.length - info.shape.length;
    const shape = [...new Array<number>(extra).fill(1), ...info.shape];
    const values = this.values(info);
    if (values) {
      if (values.length === 1) return this.graph.constant(values, [], info.dtype as ElementType);
      const data = isLogical(layout) ? values : permute(values, shape, layout);
      return this.graph.constant(data, physical(shape, layout), info.dtype as ElementType);
    }
    const data = this.#data.get(info.dataId) as { sym: Sym; layout: Layout };
    const from = extend(data.layout, extra);
    if (from.every((axis, p) => axis === layout[p])) return data.sym;
    return convert(this.graph, this.graph.reshape(data.sym, physical(shape, from)), from, layout);
  }

  /** A tensor of this logical shape for a value that lies in `layout`. */
  give(sym: Sym, shape: readonly number[], dtype: tf.DataType, layout: Layout = logical(shape.length)): tf.TensorInfo {
    const dataId = {};
    this.#data.set(dataId, { sym, layout, refs: 1 });
    return { dataId, shape: [...shape], dtype };
  }

  /** A tensor whose numbers are known while tracing. */
  constant(values: tf.BackendValues, shape: readonly number[], dtype: DType): tf.TensorInfo {
    return { dataId: this.write(values, [...shape], dtype), shape: [...shape], dtype };
  }

  override write(values: tf.BackendValues, _shape: number[], _dtype: tf.DataType): object {
    const dataId = {};
    this.#data.set(dataId, { values, refs: 1 });
    return dataId;
  }

  override move(dataId: object, values: tf.BackendValues, _shape: number[], _dtype: tf.DataType, refs: number): void {
    this.#data.set(dataId, { values, refs });
  }

  override readSync(dataId: object): tf.BackendValues {
    const data = this.#data.get(dataId);
    if ("values" in data) return data.values;
    throw new PipeError(`${this.#graph?.name ?? "A function"} reads the value of a tensor while it is traced.`, {
      hint: "A compiled function may not branch or size anything on data: make it an input, or compute with masks.",
    });
  }

  override async read(dataId: object): Promise<tf.BackendValues> {
    return this.readSync(dataId);
  }

  override disposeData(dataId: object, force = false): boolean {
    if (!this.#data.has(dataId)) return true;
    const data = this.#data.get(dataId);
    data.refs -= 1;
    if (!force && data.refs > 0) return false;
    this.#data.delete(dataId);
    return true;
  }

  override incRef(dataId: object): void {
    this.#data.get(dataId).refs += 1;
  }

  override refCount(dataId: object): number {
    return this.#data.has(dataId) ? this.#data.get(dataId).refs : 0;
  }

  override numDataIds(): number {
    return this.#data.numDataIds();
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override timerAvailable(): boolean {
    return false;
  }

  override dispose(): void {}
}

/** A constant that was cast without loss may still be an array of its former type. */
function typed(values: ArrayLike<number>, dtype: DType): Numbers {
  const Wanted = dtype === "float32" ? Float32Array : dtype === "int32" ? Int32Array : Uint8Array;
  return values instanceof Wanted ? values : Wanted.from(values);
}
