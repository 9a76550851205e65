/** npm hands a signal on that the terminal has already sent: two within this time are one, in milliseconds. */
const ONE = 250;

/** What ends a process from outside: asked to, its terminal closed, Ctrl-\. */
const STOPS = ["SIGTERM", "SIGHUP", "SIGQUIT"] as const;

export interface Interrupt extends Disposable {
  /** Aborted by the first SIGINT: begin nothing new; finish what is in flight, or save it to go on with later. */
  readonly drain: AbortSignal;
  /** Aborted by the second SIGINT, or by SIGTERM, SIGHUP or SIGQUIT: stop at once. One more ends the process as usual. */
  readonly stop: AbortSignal;
}

/** Turns signals into abort signals until disposed. */
export function onInterrupt(note: (message: string) => void): Interrupt {
  const [drain, stop] = [new AbortController(), new AbortController()];
  let [last, before] = [0, ""];
  const off = () => {
    process.off("SIGINT", onSignal);
    for (const signal of STOPS) process.off(signal, onSignal);
  };
  const onSignal = (signal: NodeJS.Signals) => {
    const now = performance.now();
    if (signal === before && now - last <= ONE) return;
    [last, before] = [now, signal];
    if (stop.signal.aborted) {
      off();
      process.kill(process.pid, signal);
    } else if (signal === "SIGINT" && !drain.signal.aborted) {
      drain.abort();
      note("Finishing or saving what is in flight; interrupt again to stop at once.");
    } else {
      drain.abort();
      stop.abort();
      note("Stopping at once; nothing unfinished is published.");
    }
  };
  process.on("SIGINT", onSignal);
  for (const signal of STOPS) process.on(signal, onSignal);
  return { drain: drain.signal, stop: stop.signal, [Symbol.dispose]: off };
}
