import type { CommandModule } from "yargs";
import { PipeError } from "../errors.ts";
import { takes } from "../pipelines/check.ts";
import { optionsJsonSchema } from "../pipelines/schema.ts";
import { suggest } from "../pipelines/suggest.ts";
import type { AnyStage } from "../stages/define.ts";
import { FILE_OPTION, known, knownStages } from "./pipelines.ts";
import { commandModule, type Session } from "./session.ts";
import { table } from "./table.ts";

export function listCommand(session: Session): CommandModule {
  return commandModule({
    command: "list [stage]",
    describe: "the pipelines and stages there are, or one stage with its options",
    positionals: { stage: { type: "string", describe: "a stage's name" } },
    options: { json: { type: "boolean", describe: "as JSON" }, ...FILE_OPTION },
    async run({ stage, json }) {
      if (stage !== undefined) return listStage(session, String(stage), json === true);
      const { pipelines, stages } = await known(session);
      const all = Object.values(pipelines);
      const names = Object.keys(stages).sort();
      if (json) {
        const shown = {
          pipelines: all.map(({ name, about, params, steps }) => ({
            name,
            about,
            params,
            steps: steps.map((s) => s.stage),
          })),
          stages: names.map((name) => stageData(stages[name]!)),
        };
        session.out(`${JSON.stringify(shown, null, 2)}\n`);
        return;
      }
      session.out(
        `Pipelines (pipe run NAME)\n${table(
          all.map(({ name, about }) => [name, about]),
          "  ",
        )}`,
      );
      const rows = names.map((name) => [name, flow(stages[name]!), stages[name]!.summary]);
      session.out(`\nStages (pipe list STAGE)\n${table(rows, "  ")}`);
    },
  });
}

async function listStage(session: Session, name: string, json: boolean): Promise<void> {
  const stages = await knownStages(session);
  const stage = Object.hasOwn(stages, name) ? stages[name] : undefined;
  if (!stage)
    throw new PipeError(`There is no stage "${name}".`, { hint: suggest(name, Object.keys(stages), "Stages") });
  const data = stageData(stage);
  if (json) {
    session.out(`${JSON.stringify(data, null, 2)}\n`);
    return;
  }
  const rows = data.options.map((option) => {
    const preset = option.required ? "needed" : option.default === undefined ? "" : JSON.stringify(option.default);
    return [option.name, option.type, preset, option.help + (option.runtime ? " (not part of the key)" : "")];
  });
  session.out(`${stage.name}: ${stage.summary}\n${flow(stage)}, version ${stage.version}\n\n`);
  session.out(rows.length > 0 ? table([["option", "type", "default", "what it is"], ...rows]) : "It has no options.\n");
}

/** A stage as plain data: what it takes and gives, and its options. */
export function stageData(stage: AnyStage) {
  const schema = optionsJsonSchema(stage.options) as {
    properties?: Record<string, Record<string, unknown>>;
    required?: string[];
  };
  return {
    name: stage.name,
    summary: stage.summary,
    version: stage.version,
    takes: takes(stage),
    gives: stage.gives,
    options: Object.entries(schema.properties ?? {}).map(([name, option]) => ({
      name,
      type: typeWords(option),
      ...(option.default !== undefined && { default: option.default }),
      required: schema.required?.includes(name) ?? false,
      help: String(option.description ?? ""),
      runtime: (stage.runtime as readonly string[] | undefined)?.includes(name) ?? false,
    })),
  };
}

function flow(stage: AnyStage): string {
  const from = takes(stage).filter((kind) => kind !== "none");
  return `${from.length > 0 ? `${from.join("|")} ` : ""}→ ${stage.gives}`;
}

function typeWords(schema: Record<string, unknown>): string {
  if (Array.isArray(schema.enum)) return schema.enum.map(String).join("|");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (Array.isArray(schema.anyOf))
    return schema.anyOf.map((each) => typeWords(each as Record<string, unknown>)).join("|");
  if (schema.type === "array") return `${typeWords((schema.items ?? {}) as Record<string, unknown>)}[]`;
  return String(schema.type ?? "any");
}
