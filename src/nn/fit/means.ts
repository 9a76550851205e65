import type { Sum } from "./history.ts";

/** A number that a step gave: a loss or a gradient's norm, by `phase/name`. */
export interface Reading {
  readonly kind: "loss" | "gradient";
  readonly key: string;
  readonly value: number;
}

/** Running means of losses and gradient norms since the last line of the log. Sums are kept, so that a resumed run goes on. */
export class Means {
  #sums: Map<string, Sum>;

  constructor(sums: Readonly<Record<string, Sum>>) {
    this.#sums = new Map(Object.entries(sums));
  }

  add({ kind, key, value }: Reading): void {
    const { sum, count } = this.#sums.get(`${kind} ${key}`) ?? { sum: 0, count: 0 };
    this.#sums.set(`${kind} ${key}`, { sum: sum + value, count: count + 1 });
  }

  of(kind: Reading["kind"]): Record<string, number> {
    const some = [...this.#sums].filter(([name]) => name.startsWith(`${kind} `));
    return Object.fromEntries(some.map(([name, { sum, count }]) => [name.slice(kind.length + 1), sum / count]));
  }

  clear(): void {
    this.#sums.clear();
  }

  toJSON(): Record<string, Sum> {
    return Object.fromEntries(this.#sums);
  }
}
