import { setTimeout as sleep } from "node:timers/promises";
import { main } from "../../src/cli/main.ts";
import { seen, stages } from "../pipelines/fakes.ts";

// Run as a program of its own, to be sent signals: every frame takes 300 ms, and says when it begins.
Object.defineProperty(seen, "hold", {
  get() {
    process.stderr.write("holding a frame\n");
    return sleep(300);
  },
});
process.exitCode = await main({
  args: process.argv.slice(2),
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  live: false,
  exitCode: 0,
  stages,
});
