/**
 * Maps a stream in order while up to `limit` items are being worked on: the source is read ahead of the consumer, so
 * that one stage's waiting is another's working time.
 *
 * A failure of the source or of `work` rejects at its place in the order; an abort does not wait for the source.
 * However it ends, work in flight is awaited and the source is closed before it returns.
 */
export async function* mapAhead<In, Out>(
  source: AsyncIterable<In>,
  limit: number,
  work: (item: In) => Out | Promise<Out>,
  signal: AbortSignal,
): AsyncGenerator<Out, void, void> {
  const iterator = source[Symbol.asyncIterator]();
  const slots: Promise<IteratorResult<Out, undefined>>[] = [];
  const working = new Set<Promise<Out>>();
  let stopped = false;
  let pulled: Promise<unknown> = Promise.resolve();
  const stop = () => {
    stopped = true;
  };
  const begin = (item: In): Promise<Out> => {
    const done = Promise.resolve(work(item));
    working.add(done);
    const forget = () => working.delete(done);
    done.then(forget, forget);
    return done;
  };
  const open = () => {
    // One pull after the other: not every iterator takes a second call of next() before the first is answered.
    const pull = pulled.then(() => (stopped ? END : iterator.next()));
    pulled = pull.then(({ done }) => {
      if (done) stop();
    }, stop);
    const slot = pull.then(async (result) =>
      result.done ? END : { done: false as const, value: await begin(result.value) },
    );
    // Its failure is seen when its turn comes; until then it is not unhandled.
    slot.catch(stop);
    slots.push(slot);
  };
  try {
    for (;;) {
      while (slots.length < limit && !stopped) open();
      const slot = slots.shift();
      if (slot === undefined) return;
      const result = await unlessAborted(slot, signal);
      if (result.done) return;
      yield result.value;
    }
  } finally {
    stop();
    // After an abort the source may never answer; its own closing is what ends the pull.
    if (!signal.aborted) await Promise.allSettled([...slots, pulled]);
    await Promise.allSettled(working);
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

/** Leaves nothing behind on the signal, which outlives every frame: `Promise.race` would keep them all. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = () => reject(signal.reason);
    if (signal.aborted) return fail();
    signal.addEventListener("abort", fail, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", fail));
  });
}
