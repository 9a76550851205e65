import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageRoot } from "../../src/pipelines/package.ts";
import { temporary } from "../pipelines/temporary.ts";

const FILES = ["package.json", "bin", "src", "pipelines.yaml", "tsconfig.json", "tsconfig.build.json"];

/** What a fresh clone has of the program. */
async function clone(files = FILES): Promise<string> {
  const folder = await temporary();
  for (const name of files) cpSync(join(packageRoot, name), join(folder, name), { recursive: true });
  return folder;
}

function pipe(folder: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(join(folder, "bin/pipe.js"), args, { encoding: "utf8" });
  return { status, stdout, stderr };
}

describe.skipIf(process.platform === "win32")("bin/pipe.js", () => {
  it("is the program of package.json, and may be executed", () => {
    const { bin } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { bin: { pipe: string } };
    expect(bin.pipe).toBe("bin/pipe.js");
    expect(statSync(join(packageRoot, bin.pipe)).mode & 0o111).toBe(0o111);
  });

  it("builds a fresh clone, says so once, and builds again what was changed", { timeout: 300_000 }, async () => {
    const folder = await clone();
    symlinkSync(join(packageRoot, "node_modules"), join(folder, "node_modules"));
    const first = pipe(folder, "list");
    expect(first.status, first.stderr).toBe(0);
    expect(first.stderr).toBe("Building affect-pipe …\n");
    expect(first.stdout).toContain("extract-latents");
    expect(pipe(folder, "list")).toEqual({ ...first, stderr: "" });

    const source = join(folder, "src/cli/names.ts");
    const later = Date.now() / 1000 + 60;
    writeFileSync(source, "export const = 1;\n");
    utimesSync(source, later, later);
    const broken = pipe(folder, "list");
    expect(broken.status).toBe(1);
    expect(broken.stderr).toContain("src/cli/names.ts");
    expect(broken.stderr).toContain("npm ci && npm run build");
    expect(readdirSync(folder).filter((name) => name.startsWith("dist"))).toEqual(["dist"]);
  });

  it("says what to do where there is no compiler, and runs what is built", async () => {
    const folder = await clone(["package.json", "bin"]);
    const { status, stderr } = pipe(folder, "list");
    expect(status).toBe(1);
    expect(stderr).toBe(
      `affect-pipe is not built yet, and building it failed: TypeScript is not installed.\n  → In ${folder}/: npm ci && npm run build\n`,
    );
    mkdirSync(join(folder, "dist/cli"), { recursive: true });
    writeFileSync(join(folder, "dist/cli/main.js"), "console.log(process.argv.slice(2).join());\n");
    expect(pipe(folder, "a", "b")).toEqual({ status: 0, stdout: "a,b\n", stderr: "" });
  });
});
