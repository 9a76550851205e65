/**
 * Maps a stream in order while up to `limit` items are being worked on: the source is read ahead of the consumer, so
 * that one stage's waiting is another's working time.
 *
 * A failure of the source or of `work` rejects at its place in the order; an abort rejects at once. However it ends,
 * work in flight is awaited and the source is closed before it returns.
 */
export async function* mapAhead<In, Out>(
  source: AsyncIterable<In>,
  limit: number,
  work: (item: In) => Out | Promise<Out>,
  signal: AbortSignal,
): AsyncGenerator<Out, void, void> {
  const iterator = source[Symbol.asyncIterator]();
  const slots: Promise<IteratorResult<Out, undefined>>[] = [];
  let stopped = false;
  let pulled: Promise<unknown> = Promise.resolve();
  const open = () => {
    // One pull after the other: not every iterator takes a second call of next() before the first is answered.
    const pull = pulled.then(() => (stopped ? END : iterator.next()));
    pulled = pull.then(({ done }) => {
      stopped ||= done === true;
    }, stop);
    const slot = pull.then(async (result) =>
      result.done ? END : { done: false as const, value: await work(result.value) },
    );
    // Its failure is seen when its turn comes; until then it is not unhandled.
    slot.catch(stop);
    slots.push(slot);
  };
  const stop = () => {
    stopped = true;
  };
  const abort = aborted(signal);
  try {
    for (;;) {
      while (slots.length < limit && !stopped) open();
      const slot = slots.shift();
      if (slot === undefined) return;
      const result = await Promise.race([slot, abort.promise]);
      if (result.done) return;
      yield result.value;
    }
  } finally {
    stop();
    abort.forget();
    if (!signal.aborted) await Promise.allSettled([...slots, pulled]);
    await iterator.return?.();
  }
}

/** Groups of `most` items, fewer where their `weight` together would pass `heaviest`; the last may be short. */
export async function* grouped<T>(
  source: AsyncIterable<T>,
  most: number,
  weight: (item: T) => number,
  heaviest: number,
): AsyncGenerator<T[], void, void> {
  let group: T[] = [];
  let total = 0;
  for await (const item of source) {
    if (group.length > 0 && total + weight(item) > heaviest) {
      yield group;
      group = [];
      total = 0;
    }
    group.push(item);
    total += weight(item);
    if (group.length === most) {
      yield group;
      group = [];
      total = 0;
    }
  }
  if (group.length > 0) yield group;
}

const END = { done: true as const, value: undefined };

function aborted(signal: AbortSignal): { promise: Promise<never>; forget: () => void } {
  let forget = () => {};
  const promise = new Promise<never>((_, reject) => {
    const fail = () => reject(signal.reason);
    if (signal.aborted) fail();
    signal.addEventListener("abort", fail, { once: true });
    forget = () => signal.removeEventListener("abort", fail);
  });
  promise.catch(() => {});
  return { promise, forget };
}
