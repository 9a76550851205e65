import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { digestOf } from "../../src/digest.ts";
import type { Report } from "../../src/pipelines/report.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const bin = join(root, "dist/cli/main.js");

/** Absolute path of one of the project's own clips. */
export const sample = (name: string): string => join(root, "data/samples", name);

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Types `pipe …` in a process of its own. `during` may send it signals; `heard` resolves when it first writes to stderr. */
export async function pipe(
  args: readonly string[],
  {
    during,
    shell,
    env,
  }: {
    during?: (kill: (signal: NodeJS.Signals) => void, heard: Promise<unknown>) => void;
    shell?: string;
    env?: NodeJS.ProcessEnv;
  } = {},
): Promise<Ended> {
  const command = [process.execPath, bin, ...args];
  const child = shell
    ? spawn("bash", ["-c", `${shell}; exec "$@"`, "bash", ...command], { cwd: root, env: { ...process.env, ...env } })
    : spawn(command[0]!, command.slice(1), { cwd: root, env: { ...process.env, ...env } });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  during?.(
    (signal) => child.kill(signal),
    once(child.stderr, "data").catch(() => {}),
  );
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** A folder that is gone when the test ends. */
export async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "affect-pipe-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function reportOf(output: string): Promise<Report> {
  return JSON.parse(await readFile(join(output, "report.json"), "utf8")) as Report;
}

/** What a reader of the cache sees: relative path → sha256, without reports, memos and the like. */
export async function published(output: string): Promise<Record<string, string>> {
  const entries = await readdir(output, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(output.length + 1))
    .filter((name) => /^[0-9a-f]{16}\//.test(name))
    .sort();
  const digests: Record<string, string> = {};
  for (const name of files) digests[name] = digestOf(await readFile(join(output, name)));
  return digests;
}

/** Everything in the folder that is neither published nor known to belong there. */
export async function leftovers(output: string): Promise<string[]> {
  const known = new Set(["report.json", ".digests.jsonl", ".labelled.jsonl", ".verified.jsonl"]);
  const entries = await readdir(output, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(output.length + 1))
    .filter((name) => !known.has(name) && !/^[0-9a-f]{16}\/[0-9a-f]{16}\//.test(name));
}
