export interface BatchOptions<Item, Result> {
  /** Items in a full batch. */
  readonly size: number;
  /** Whether an item goes into a batch; the others keep their place in the order and get null. */
  readonly wants: (item: Item) => boolean;
  /** Starts the work on 1..size wanted items; one result an item. */
  readonly run: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** Items held while a batch fills, wanted or not: a batch starts unfilled when that many wait. Default 1024. */
  readonly held?: number;
}

/**
 * Gathers items into batches and gives each item with its result, in the order they came.
 * One batch is worked on while the next one fills; no third one is begun before the first was taken.
 */
export async function* inBatches<Item, Result>(
  input: AsyncIterable<Item>,
  { size, wants, run, held = 1024 }: BatchOptions<Item, Result>,
): AsyncGenerator<[Item, Result | null], void, void> {
  let filling: Item[] = [];
  let wanted = 0;
  const started: Lot<Item, Result>[] = [];

  const start = () => {
    const items = filling;
    const chosen = items.filter(wants);
    filling = [];
    wanted = 0;
    const results = chosen.length > 0 ? run(chosen) : Promise.resolve([]);
    // A failure is thrown where the results are awaited; until then it must not count as unhandled.
    results.catch(() => {});
    started.push({ items, results });
  };
  async function* finish(): AsyncGenerator<[Item, Result | null], void, void> {
    const { items, results } = started[0]!;
    const ready = (await results)[Symbol.iterator]();
    started.shift();
    for (const item of items) yield [item, wants(item) ? ready.next().value! : null];
  }

  try {
    for await (const item of input) {
      const wait = wants(item) || wanted > 0 || started.length > 0;
      if (!wait) {
        yield [item, null];
        continue;
      }
      filling.push(item);
      if (wants(item)) wanted += 1;
      if (wanted < size && filling.length < held) continue;
      start();
      if (started.length > 1) yield* finish();
    }
    if (filling.length > 0) start();
    while (started.length > 0) yield* finish();
  } finally {
    await Promise.allSettled(started.map(({ results }) => results));
  }
}

interface Lot<Item, Result> {
  readonly items: readonly Item[];
  readonly results: Promise<readonly Result[]>;
}
