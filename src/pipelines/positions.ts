import { type Document, isAlias, isMap, isScalar, isSeq, type Pair } from "yaml";

/** Where the things of a YAML document stand, as characters from its beginning. */
export class Positions {
  readonly #document: Document.Parsed;

  constructor(document: Document.Parsed) {
    this.#document = document;
  }

  /** The value at a path, or the nearest thing around it that has a place. */
  value(path: readonly PropertyKey[]): number {
    return this.#find(path).value;
  }

  /** The name of the member at a path, or the nearest thing around it. */
  key(path: readonly PropertyKey[]): number {
    return this.#find(path).key;
  }

  #find(path: readonly PropertyKey[]): { key: number; value: number } {
    let node: unknown = this.#document.contents;
    let found = { key: start(node) ?? 0, value: start(node) ?? 0 };
    for (const step of path) {
      if (isAlias(node)) node = node.resolve(this.#document);
      if (isMap(node)) {
        const pair = node.items.find((each) => isScalar(each.key) && String(each.key.value) === String(step)) as Pair;
        if (!pair) return found;
        const key = start(pair.key) ?? found.value;
        node = pair.value;
        found = { key, value: start(node) ?? key };
      } else if (isSeq(node)) {
        node = node.items[Number(step)];
        const value = start(node) ?? found.value;
        found = { key: value, value };
      } else return found;
    }
    return found;
  }
}

function start(node: unknown): number | undefined {
  const range = (node as { range?: [number, number, number] | null } | null)?.range;
  // What is left out (`stage:` with nothing after it) has a place, but nothing to see there.
  return range && range[1] > range[0] ? range[0] : undefined;
}
