import { closest, distance } from "fastest-levenshtein";

/** "Did you mean fps? Options: fps, input." The first sentence only where a valid name is near. */
export function suggest(name: string, valid: readonly string[], title: string, prefix = ""): string {
  const near = nearest(name, valid);
  const list = `${title}: ${
    [...valid]
      .sort()
      .map((each) => prefix + each)
      .join(", ") || "none"
  }.`;
  return near === undefined ? list : `Did you mean ${prefix}${near}? ${list}`;
}

/** The valid name that a typing error most likely stands for. */
export function nearest(name: string, valid: readonly string[]): string | undefined {
  if (valid.length === 0) return undefined;
  const best = closest(name, valid);
  return distance(name, best) <= Math.max(1, Math.min(3, Math.ceil(name.length / 2))) ? best : undefined;
}
