/**
 * Seeded random numbers: equal seeds give equal sequences on every machine. Not for secrets.
 *
 * The generator is Mulberry32 (T. Ettinger): 32 bits of state, one multiply-xor-shift round a number.
 */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform in [low, high). */
  uniform(low: number, high: number): number;
  /** Standard normal (Box–Muller). */
  normal(): number;
  /** One of the list, each as likely. */
  pick<T>(list: readonly [T, ...T[]]): T;
  /** An independent generator; the same name always gives the same one, however many numbers were drawn before. */
  fork(name: string): Random;
}

export function seeded(seed: number | string): Random {
  const start = hash(String(seed));
  let state = start;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    uniform: (low, high) => low + (high - low) * next(),
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    pick: (list) => list[Math.floor(next() * list.length)]!,
    fork: (name) => seeded(`${start}/${name}`),
  };
}

/** FNV-1a over UTF-16 units, then one avalanche round, so that seeds 1, 2, 3 start far apart. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
