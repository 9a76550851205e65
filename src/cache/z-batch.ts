import {
  type Data,
  Field,
  FixedSizeList,
  Float16,
  Float32,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Uint8,
} from "apache-arrow";
import type { Dtype, Values } from "./dtype.ts";

/** One column `z`, non-null, each value a whole latent of `size` non-null numbers, row-major over the latent's shape. */
export function zSchema(dtype: Dtype, size: number): Schema {
  return new Schema([new Field("z", new FixedSizeList(size, new Field("item", TYPES[dtype](), false)), false)]);
}

/**
 * `rows` latents lying densely in `values`, as a record batch that shares the memory. In the file its body is the dense
 * buffer and nothing before it, so the body's offset is the first value's.
 */
export function zBatch(schema: Schema, values: Values, rows: number): RecordBatch {
  const type = schema.fields[0]!.type as FixedSizeList;
  const length = rows * type.listSize;
  const child = makeData({ type: type.valueType, length, nullCount: 0, data: values.subarray(0, length) }) as Data;
  const list = makeData({ type, length: rows, nullCount: 0, child });
  return new RecordBatch(
    schema,
    makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children: [list] }),
  );
}

const TYPES = { float16: () => new Float16(), float32: () => new Float32(), uint8: () => new Uint8() };
