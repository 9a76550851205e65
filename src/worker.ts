import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Starts a worker thread from a module named by its source URL, e.g.
 * `startWorker(new URL("./decode-worker.ts", import.meta.url))`. Compiled, the same call finds the `.js` beside the
 * caller; from sources (tests, benchmarks) the worker loads TypeScript through tsx.
 */
export function startWorker(module: URL, given: WorkerOptions = {}): Worker {
  // A thread takes over node's own arguments, and some (`--input-type`, `--eval`) are refused there.
  const options = { execArgv: [], ...given };
  if (import.meta.url.endsWith(".js")) return new Worker(new URL(module.href.replace(/\.ts$/, ".js")), options);
  // tsx given as `--import` leaves threads alone on Node 20; registering from inside works on all.
  const tsx = import.meta.resolve("tsx/esm/api");
  const boot = `import { register } from ${JSON.stringify(tsx)}; register(); await import(${JSON.stringify(module.href)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(boot)}`), options);
}
