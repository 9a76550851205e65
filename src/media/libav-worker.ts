import { type MessagePort, parentPort, receiveMessageOnPort } from "node:worker_threads";
import { AV_LOG_QUIET } from "node-av/constants";
import { Log } from "node-av/lib";
import { PipeError } from "../errors.ts";
import { decodeVideo } from "./libav-decode.ts";
import { openVideo } from "./libav-open.ts";
import { type FromWorker, IN_FLIGHT, type Job, PROGRESS, STOP, type ToWorker } from "./libav-protocol.ts";
import { Room } from "./room.ts";

/** The thread's side of libav-thread.ts: one job after the other. Native calls block the thread, messages carry the frames out. */
const port = parentPort as MessagePort;
const room = new Room();

Log.setLevel(AV_LOG_QUIET);
port.on("message", take);

function take(message: ToWorker): void {
  if (message.kind === "room") room.keep(message.buffer);
  else if (message.kind === "leave") port.close();
  else work(message.job);
}

function work(job: Job): void {
  try {
    post(job.task === "probe" ? probeOf(job) : decode(job));
  } catch (error) {
    const { message, stack } = error as Error;
    post(
      error instanceof PipeError
        ? { kind: "refused", message, hint: error.hint }
        : { kind: "bug", message: stack ?? message },
    );
  }
}

function probeOf(job: Job): FromWorker {
  using video = openVideo(job.path, job.fd, job.maxPixels);
  return { kind: "probe", probe: video.probe };
}

function decode(job: Job): FromWorker {
  const shared = new Int32Array(job.shared);
  const outcome = decodeVideo(job, {
    progress: () => Atomics.add(shared, PROGRESS, 1),
    stopped: () => Atomics.load(shared, STOP) !== 0,
    room(bytes) {
      // The loop that would receive messages stands still while a job runs.
      for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) take(next.message);
      return room.take(bytes);
    },
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
  return { kind: "end", outcome };
}

function post(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}
