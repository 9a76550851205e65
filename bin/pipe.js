#!/usr/bin/env node
// What `npx pipe` starts. It is in the repository, and executable, so that npx finds it before anything was built; the
// program itself is TypeScript, compiled into dist/, which is made here where it is missing or older than its sources.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const main = join(dist, "cli", "main.js");

const problem = existsSync(main) && !isStale() ? undefined : build();
if (problem !== undefined) {
  process.stderr.write(`affect-pipe is not built yet, and building it failed: ${problem}\n`);
  process.stderr.write(`  → In ${root}: npm ci && npm run build\n`);
  process.exitCode = 1;
} else {
  process.argv[1] = main;
  await import(pathToFileURL(main).href);
}

/** Whether a source was changed after the last build; a package that comes without sources never is. */
function isStale() {
  const built = statSync(main).mtimeMs;
  const sources = existsSync(join(root, "src")) ? readdirSync(join(root, "src"), { recursive: true }) : [];
  return sources.some((name) => name.endsWith(".ts") && statSync(join(root, "src", name)).mtimeMs > built);
}

/** Compiles the sources; says what went wrong, if anything did. Of several processes that build at once, each succeeds. */
function build() {
  const tsc = compiler();
  // Without a compiler, an older build is better than none.
  if (tsc === undefined) return existsSync(main) ? undefined : "TypeScript is not installed.";
  process.stderr.write("Building affect-pipe …\n");
  const [fresh, old] = [`${dist}-${process.pid}`, `${dist}-${process.pid}-old`];
  try {
    const args = [tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", fresh];
    const { status, error, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    if (error || status !== 0)
      return error?.message ?? `tsc ended with exit code ${status}.\n${stdout}${stderr}`.trim();
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(fresh, dist);
  } catch (error) {
    // Another process has put its own there.
    if (!existsSync(main)) return error.message;
  } finally {
    for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
  }
}

function compiler() {
  try {
    const require = createRequire(import.meta.url);
    const manifest = require.resolve("typescript/package.json");
    return join(dirname(manifest), require(manifest).bin.tsc);
  } catch {
    return undefined;
  }
}
