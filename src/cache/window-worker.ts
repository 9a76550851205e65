import { parentPort, workerData } from "node:worker_threads";
import { PipeError } from "../errors.ts";
import { WindowFiller } from "./window-fill.ts";
import type { FillReply, FillRequest, ThreadData } from "./window-protocol.ts";

/** A thread that fills windows, one request after the other. Files that it has open are closed with it. */
const port = parentPort!;
const filler = new WindowFiller(workerData as ThreadData);

port.on("message", (request: FillRequest) => {
  const reply: FillReply = { id: request.id, ...problemIn(() => filler.fill(request)) };
  port.postMessage(reply);
});

function problemIn(work: () => void): Pick<FillReply, "problem"> {
  try {
    work();
    return {};
  } catch (error) {
    if (!(error instanceof PipeError)) return { problem: { message: String(error) } };
    return { problem: { message: error.message, ...(error.hint !== undefined && { hint: error.hint }) } };
  }
}
