import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds package.json, pipelines.yaml and data/. */
export const packageRoot = fileURLToPath(new URL("../../", import.meta.url));

/** Versions of the project, of Node, and of the packages it runs on, as installed. */
export function versions(): Record<string, string> {
  const own = manifest(packageRoot);
  const found: Record<string, string> = {
    [own?.name ?? "affect-pipe"]: own?.version ?? "unknown",
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
  for (const name of Object.keys({ ...own?.dependencies, ...own?.optionalDependencies }).sort()) {
    const version = installed(name)?.version;
    if (version) found[name] = version;
  }
  return found;
}

/** The project's own version. */
export function version(): string {
  return manifest(packageRoot)?.version ?? "unknown";
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

function installed(name: string): Manifest | undefined {
  for (let folder = packageRoot; ; folder = path.dirname(folder)) {
    const found = manifest(path.join(folder, "node_modules", name));
    if (found || folder === path.dirname(folder)) return found;
  }
}

function manifest(folder: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")) as Manifest;
  } catch {
    return undefined;
  }
}
