import { createRequire } from "node:module";
import * as tf from "@tensorflow/tfjs-core";
import { corrections, mendedByResult } from "./gradient-corrections.ts";

/**
 * Makes tf.grad and its family work: tfjs-core's own Node bundle carries no gradients. They come from the package
 * @tensorflow/tfjs, which registers them with the very tfjs-core that this process has; some are corrected here.
 * Idempotent; about 0.15 s, once.
 */
export function registerGradients(): void {
  if (registered) return;
  registered = true;
  // A require, not an import: only who trains pays for it, and compileSteps() is synchronous.
  if (!tf.getGradient("Add")) createRequire(import.meta.url)("@tensorflow/tfjs");
  for (const config of corrections) tf.registerGradient(config);
  for (const config of mendedByResult()) tf.registerGradient(config);
}

let registered = false;
