import { createRequire } from "node:module";
import * as tf from "@tensorflow/tfjs-core";

/**
 * Makes tf.grad and its family work: tfjs-core's own Node bundle carries no gradients. They come from the package
 * @tensorflow/tfjs, which registers them with the very tfjs-core that this process has. Idempotent; about 0.1 s, once.
 */
export function registerGradients(): void {
  if (tf.getGradient("Add")) return;
  // A require, not an import: only who trains pays for it, and compileSteps() is synchronous.
  createRequire(import.meta.url)("@tensorflow/tfjs");
}
