import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Starts a worker thread from a module named by its source URL, e.g.
 * `startWorker(new URL("./decode-worker.ts", import.meta.url))`. Compiled, the same call finds the `.js` beside the
 * caller; from sources (tests, benchmarks) the worker loads TypeScript through tsx.
 */
export function startWorker(module: URL, options: WorkerOptions = {}): Worker {
  const compiled = import.meta.url.endsWith(".js");
  const url = compiled ? new URL(module.href.replace(/\.ts$/, ".js")) : module;
  return new Worker(url, compiled ? options : { ...options, execArgv: ["--import", "tsx"] });
}
