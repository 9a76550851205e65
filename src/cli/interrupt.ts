/** npm hands a Ctrl-C on that the terminal has already sent: two within this time are one, in milliseconds. */
const ONE = 250;

export interface Interrupt extends Disposable {
  /** Aborted by the first SIGINT: begin nothing new; finish what is in flight, or save it to go on with later. */
  readonly drain: AbortSignal;
  /** Aborted by the second SIGINT, or by SIGTERM: stop at once. A third ends the process as usual. */
  readonly stop: AbortSignal;
}

/** Turns signals into abort signals until disposed. */
export function onInterrupt(note: (message: string) => void): Interrupt {
  const [drain, stop] = [new AbortController(), new AbortController()];
  let first = 0;
  const off = () => {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", terminate);
  };
  const terminate = () => {
    off();
    drain.abort();
    stop.abort();
    note("Stopping at once; nothing unfinished is published.");
  };
  const interrupt = () => {
    if (!drain.signal.aborted) {
      first = performance.now();
      drain.abort();
      note("Finishing or saving what is in flight; interrupt again to stop at once.");
    } else if (performance.now() - first > ONE) terminate();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", terminate);
  return { drain: drain.signal, stop: stop.signal, [Symbol.dispose]: off };
}
