import type { Value } from "../../compile/index.ts";

/** Feeds of consecutive steps as one, with a leading axis; null when their names, types or shapes differ. */
export function stack(feeds: readonly Record<string, Value>[]): Record<string, Value> | null {
  const [first] = feeds as [Record<string, Value>];
  const names = Object.keys(first);
  if (feeds.some((other) => described(other) !== described(first))) return null;
  return Object.fromEntries(
    names.map((name): [string, Value] => {
      const { data, shape } = first[name]!;
      const all =
        data instanceof Float32Array ? new Float32Array(data.length * feeds.length) : like(data, feeds.length);
      feeds.forEach((each, i) => void all.set(each[name]!.data, i * data.length));
      return [name, { data: all, shape: [feeds.length, ...shape] }];
    }),
  );
}

function like(data: Int32Array | Uint8Array, times: number): Int32Array | Uint8Array {
  const length = data.length * times;
  return data instanceof Int32Array ? new Int32Array(length) : new Uint8Array(length);
}

function described(feeds: Record<string, Value>): string {
  const entries = Object.entries(feeds).map(([name, { data, shape }]) => [name, data.constructor.name, ...shape]);
  return JSON.stringify(entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
}
