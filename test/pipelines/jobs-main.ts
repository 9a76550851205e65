import { bind } from "../../src/pipelines/bind.ts";
import { parsePipelines } from "../../src/pipelines/load.ts";
import { TaskProcesses } from "../../src/pipelines/processes.ts";
import { run } from "../../src/pipelines/run.ts";
import { file, stages } from "./fakes.ts";

// A run with two processes, as a program of its own, to be killed: `jobs-main.ts INPUT OUTPUT`.
const [, , input, output] = process.argv;
const pipeline = parsePipelines(file, "/x/pipelines.yaml", stages).pipelines["sum-bytes"]!;
await using processes = new TaskProcesses(2, new URL("./fakes.ts", import.meta.url));
await run(bind(pipeline, stages, { input: [input!], output: output! }), {
  stages,
  jobs: 2,
  perform: (task, tools) =>
    processes.perform(task, {
      ...tools,
      // One line for each task whose process has begun to read.
      heard: (seen) => void (seen.records > 0 && process.stdout.write("begun\n")),
    }),
});
