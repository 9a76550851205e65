/**
 * Calls `work(0 … count − 1)`, at most `limit` at a time, results in order. The first failure, or the signal's abort,
 * stops further calls and rejects once those that run have ended.
 */
export async function inParallel<T>(
  count: number,
  limit: number,
  work: (index: number) => Promise<T>,
  signal?: AbortSignal,
): Promise<T[]> {
  const results = new Array<T>(count);
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < count && !failed) {
      const index = next++;
      try {
        signal?.throwIfAborted();
        results[index] = await work(index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(limit, count) }, lane));
  for (const done of lanes) if (done.status === "rejected") throw done.reason;
  return results;
}
