import { parentPort, workerData } from "node:worker_threads";
import { AV_LOG_QUIET } from "node-av/constants";
import { Log } from "node-av/lib";
import { PipeError } from "../errors.ts";
import { decodeVideo } from "./libav-decode.ts";
import { openVideo } from "./libav-open.ts";
import { type FromWorker, IN_FLIGHT, type Job, PROGRESS, STOP } from "./libav-protocol.ts";

/** Runs one job in this thread and leaves: native calls block the thread, messages carry the frames out. */
function run(job: Job): void {
  const shared = new Int32Array(job.shared);
  const post = (message: FromWorker, transfer: ArrayBuffer[] = []): void => parentPort!.postMessage(message, transfer);
  Log.setLevel(AV_LOG_QUIET);
  try {
    if (job.task === "probe") {
      using video = openVideo(job.path, job.fd, job.maxPixels);
      post({ kind: "probe", probe: video.probe });
      return;
    }
    const outcome = decodeVideo(job, {
      progress: () => Atomics.add(shared, PROGRESS, 1),
      stopped: () => Atomics.load(shared, STOP) !== 0,
      frame(frame) {
        const size = frame.image.data.byteLength;
        // One frame may always be under way, however large; otherwise the budget holds.
        for (;;) {
          const inFlight = Atomics.load(shared, IN_FLIGHT);
          if (inFlight === 0 || inFlight + size <= job.budget || Atomics.load(shared, STOP) !== 0) break;
          Atomics.wait(shared, IN_FLIGHT, inFlight);
        }
        Atomics.add(shared, IN_FLIGHT, size);
        post({ kind: "frame", frame }, [frame.image.data.buffer as ArrayBuffer]);
      },
    });
    post({ kind: "end", outcome });
  } catch (error) {
    const { message, stack } = error as Error;
    post(
      error instanceof PipeError
        ? { kind: "refused", message, hint: error.hint }
        : { kind: "bug", message: stack ?? message },
    );
  }
}

run(workerData as Job);
