import type { Value } from "./types.ts";

/** Row `i` of each value's first axis, which goes; windows, no copies. */
export function sliced<Kind extends Value>(values: Readonly<Record<string, Kind>>, i: number): Record<string, Kind> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const { data, shape } = value;
      const size = data.length / shape[0]!;
      return [name, { ...value, data: data.subarray(i * size, (i + 1) * size), shape: shape.slice(1) }];
    }),
  );
}

/** Values of the same names, shapes and types, along a new first axis. */
export function stacked(each: readonly Readonly<Record<string, Value>>[]): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(each[0]!).map(([name, first]) => {
      const size = first.data.length;
      const data = new (first.data.constructor as new (length: number) => Value["data"])(each.length * size);
      each.forEach((values, i) => {
        data.set(values[name]!.data, i * size);
      });
      return [name, { data, shape: [each.length, ...first.shape] }];
    }),
  );
}
