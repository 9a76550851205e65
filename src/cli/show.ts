import path from "node:path";
import { stringify } from "yaml";
import type { CommandModule } from "yargs";
import { pipelineCommand } from "./pipelines.ts";
import type { Session } from "./session.ts";

export function showCommand(session: Session): CommandModule {
  return pipelineCommand(
    session,
    "show",
    "a pipeline's steps with every option filled in",
    { json: { type: "boolean", describe: "as JSON" } },
    (given, { pipeline, bound }) => {
      const { name, about, file, line } = pipeline;
      if (given.json) {
        const params = pipeline.params.map((param) => ({ ...param, value: bound.params[param.name] ?? null }));
        session.out(`${JSON.stringify({ name, about, file, line, params, steps: bound.steps }, null, 2)}\n`);
        return;
      }
      const steps = bound.steps.map(({ stage, options }) => ({ [stage]: options }));
      const text = stringify({ [name]: { about, steps } }, { lineWidth: 0 });
      session.out(`# ${path.relative(process.cwd(), file)}:${line}\n${text}`);
    },
  );
}
