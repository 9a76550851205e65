import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Stages } from "../stages/define.ts";
import { packageRoot } from "./package.ts";
import { pipelinesJsonSchema, reportJsonSchema } from "./schema.ts";

/**
 * Text of every generated file by its path in the project: the table of stages, and the schemas of pipelines.yaml and
 * report.json. `npm run generate` writes them. Runs on the sources, not on what is compiled from them.
 */
export async function generated(): Promise<Record<string, string>> {
  const names = stageNames();
  const stages: Record<string, unknown> = {};
  for (const name of names) {
    const module = (await import(pathToFileURL(stageFile(name)).href)) as { default: unknown };
    stages[name] = module.default;
  }
  return {
    "src/stages/index.ts": table(names),
    "pipelines.schema.json": json(pipelinesJsonSchema(stages as Stages)),
    "report.schema.json": json(reportJsonSchema()),
  };
}

/** A stage's file is one whose default export is a stage; others in the folder are what stages are made of. */
function stageNames(): string[] {
  return readdirSync(path.join(packageRoot, "src/stages"))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.slice(0, -3))
    .filter((name) => /^export default defineStage\(/m.test(readFileSync(stageFile(name), "utf8")))
    .sort();
}

function stageFile(name: string): string {
  return path.join(packageRoot, "src/stages", `${name}.ts`);
}

function table(names: readonly string[]): string {
  const variable = (name: string) => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  return [
    "// Made by `npm run generate` from the files beside it.",
    ...names.map((name) => `import ${variable(name)} from ${JSON.stringify(`./${name}.ts`)};`),
    "",
    "/** Every stage by name. */",
    "export const stages = {",
    ...names.map((name) => `  ${/-/.test(name) ? `"${name}"` : name}: ${variable(name)},`),
    "};",
    "",
  ].join("\n");
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  for (const [file, text] of Object.entries(await generated())) {
    writeFileSync(path.join(packageRoot, file), text);
    process.stderr.write(`${file}\n`);
  }
