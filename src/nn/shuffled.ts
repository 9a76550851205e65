import { seeded } from "../random.ts";

/**
 * An endless order of 0..count − 1: epoch after epoch, each a fresh shuffle, so that everything comes once before
 * anything comes again. A pure function of place and seed: whoever resumes at place 1000 gets what would have come there.
 * Keeps the last two epochs in memory.
 *
 * @throws RangeError for a count that is not a positive integer
 */
export function shuffled(count: number, seed: number | string): (place: number) => number {
  if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`${count} items cannot be shuffled.`);
  const root = seeded(seed).fork("order");
  const kept = new Map<number, Uint32Array>();
  const orderOf = (epoch: number) => {
    const known = kept.get(epoch);
    if (known) return known;
    const random = root.fork(`epoch ${epoch}`);
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(random.next() * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    if (kept.size > 1) kept.delete(kept.keys().next().value!);
    kept.set(epoch, order);
    return order;
  };
  return (place) => orderOf(Math.floor(place / count))[place % count]!;
}
