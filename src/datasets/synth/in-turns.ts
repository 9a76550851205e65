/**
 * Runs `work(0)`, `work(1)`, … up to `count` of them, at most `concurrency` at a time, and gives their results in order.
 * When one fails, or the signal aborts, no further one is started, those under way are waited for, and it throws.
 */
export async function* inTurns<T>(
  count: number,
  work: (index: number) => Promise<T>,
  { concurrency, signal }: { concurrency: number; signal?: AbortSignal | undefined },
): AsyncGenerator<T> {
  const queue: Promise<T>[] = [];
  try {
    for (let index = 0; index < count; index++) {
      signal?.throwIfAborted();
      const result = work(index);
      // Its error is met when its turn comes; until then it must not count as unhandled.
      result.catch(() => {});
      queue.push(result);
      if (queue.length >= concurrency) yield await queue.shift()!;
    }
    while (queue.length > 0) yield await queue.shift()!;
  } finally {
    await Promise.allSettled(queue);
  }
}
