import { setTimeout as sleep } from "node:timers/promises";
import { fit as train } from "../../src/nn/fit.ts";
import { adam } from "../../src/nn/optimisers.ts";
import { adversarial, adversarialBatch } from "./fit-toys.ts";

/** The run that is killed, aborted and set against itself: it has all that a run can have. */
export const toResume = (folder: string, engine: "js" | "onnx" = "js") =>
  adversarial(adam({ learningRate: 0.01 }), {
    folder,
    engine,
    iterations: 60,
    checkpointEvery: 7,
    keep: 3,
    logEvery: 4,
    stepsPerRun: 2,
    config: { data: "drawn", fold: 2 },
    validation: {
      every: 10,
      metric: "score",
      better: "higher",
      // Best in the middle, so that the best checkpoint must be kept by itself.
      measure: async ({ iteration, weights }) => ({
        score: -Math.abs(iteration - 30) + (await weights()).critic!.get("w")!.data[0]!,
      }),
    },
    async batch(iteration, phase) {
      await sleep(1);
      return adversarialBatch(iteration, phase);
    },
  });

// A process of its own that trains into argv[2] on ONNX Runtime and says where it is: what tests kill and interrupt.
if (process.argv[1]?.endsWith("fit-child.ts")) {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  try {
    await train({
      ...toResume(process.argv[2]!, "onnx"),
      signal: stop.signal,
      progress: (event) => console.log(event.event, "iteration" in event ? event.iteration : ""),
    });
  } catch (error) {
    console.log(String(error));
    process.exitCode = stop.signal.aborted ? 130 : 2;
  }
}
