import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { packageRoot } from "../../src/pipelines/package.ts";
import { file } from "../pipelines/fakes.ts";
import { temporary } from "../pipelines/temporary.ts";

const tsx = path.join(packageRoot, "node_modules/tsx/dist/cli.mjs");

function start(program: string, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ["--import", "tsx", path.join(packageRoot, program), ...args], {
    cwd: packageRoot,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function ending(child: ChildProcess): Promise<{ code: number | null; out: string; err: string }> {
  const said = { out: "", err: "" };
  child.stdout!.on("data", (chunk) => {
    said.out += chunk;
  });
  child.stderr!.on("data", (chunk) => {
    said.err += chunk;
  });
  child.stdout!.resume();
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, ...said };
}

/** Two sources of three slow frames each, one after the other. */
async function twoSlow(): Promise<{ child: ChildProcess; output: string; begun: Promise<void> }> {
  const folder = await temporary();
  const [input, output] = [path.join(folder, "in"), path.join(folder, "out")];
  await mkdir(input);
  for (const name of ["a", "b"]) await writeFile(path.join(input, name), `${name}bc`);
  await writeFile(path.join(folder, "pipelines.yaml"), file);
  const args = ["run", "sum-bytes", "--input", input, "--output", output, "--progress", "json"];
  const child = start("test/cli/fake-main.ts", [...args, "--file", path.join(folder, "pipelines.yaml")]);
  const begun = new Promise<void>((resolve) => {
    let err = "";
    child.stderr!.on("data", (text) => {
      err += text;
      if (err.includes("holding a frame")) resolve();
    });
  });
  return { child, output, begun };
}

describe("pipe as a process", () => {
  it("finishes and publishes what is in flight at the first interrupt", async () => {
    const { child, output, begun } = await twoSlow();
    const ended = ending(child);
    await begun;
    child.kill("SIGINT");
    const { code, err, out } = await ended;
    expect(err).toContain("interrupt again to stop at once");
    expect(code).toBe(130);
    expect(out.trimEnd().split("\n").at(-1)).toBe(output);
    const report = JSON.parse(await readFile(path.join(output, "report.json"), "utf8"));
    expect(report.items.map((item: { status: string }) => item.status)).toEqual(["done"]);
    expect(report.totals).toMatchObject({ done: 1, interrupted: true });
    expect((await readdir(output)).filter((name) => name.endsWith(".sum"))).toHaveLength(1);
  });

  it("stops at once at the second, and takes two within a moment for one", async () => {
    const { child, output, begun } = await twoSlow();
    const ended = ending(child);
    await begun;
    child.kill("SIGINT");
    await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGINT");
    await new Promise((resolve) => setTimeout(resolve, 280));
    child.kill("SIGINT");
    const { code } = await ended;
    expect(code).toBe(130);
    const report = JSON.parse(await readFile(path.join(output, "report.json"), "utf8"));
    expect(report.items.map((item: { status: string }) => item.status)).toEqual(["stopped"]);
    expect((await readdir(output)).filter((name) => !name.startsWith(".digests"))).toEqual(["report.json"]);
  });

  it.each(["SIGTERM", "SIGHUP", "SIGQUIT"] as const)(
    "stops at once at %s, and says what became of its work",
    async (signal) => {
      const { child, output, begun } = await twoSlow();
      const ended = ending(child);
      await begun;
      child.kill(signal);
      child.kill(signal);
      const { code, err } = await ended;
      expect(err).toContain("Stopping at once");
      expect(code, err).toBe(130);
      const report = JSON.parse(await readFile(path.join(output, "report.json"), "utf8"));
      expect(report.items.map((item: { status: string }) => item.status)).toEqual(["stopped"]);
      expect((await readdir(output)).filter((name) => !name.startsWith(".digests"))).toEqual(["report.json"]);
    },
  );

  it("writes all of a long answer into a pipe whose reader is slow", async () => {
    const folder = await temporary();
    const many = Array.from({ length: 3000 }, (_, i) => file.trim().replace("sum-bytes:", `sum-${i}:`)).join("\n");
    await writeFile(path.join(folder, "pipelines.yaml"), many);
    const child = start("test/cli/fake-main.ts", ["list", "--json", "--file", path.join(folder, "pipelines.yaml")]);
    child.stdout!.pause();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const { code, out } = await ending(child);
    expect(code).toBe(0);
    expect(out.length).toBeGreaterThan(1e6);
    expect(JSON.parse(out).pipelines).toHaveLength(3000);
  });

  it.each(["list", "list crop-faces", "show extract-latents", "run extract-latents --help"])(
    "pipe %s loads no model, codec or array library",
    async (words) => {
      const preload = ["--import", "tsx", "--import", "./test/cli/loaded.mjs"];
      const child = spawn(process.execPath, [...preload, "src/cli/main.ts", ...words.split(" ")], {
        cwd: packageRoot,
      });
      const { code, err } = await ending(child);
      expect(code).toBe(0);
      const loaded = [...err.matchAll(/^loaded (\S+)/gm)].map(([, name]) => name);
      expect(loaded).toContain("zod");
      for (const heavy of ["tfjs-core", "onnxruntime-node", "node-av", "sharp", "apache-arrow", "fluent-ffmpeg"])
        expect(loaded.filter((name) => name?.includes(heavy))).toEqual([]);
    },
  );

  it("does not mind a reader that leaves", async () => {
    const child = spawn("sh", ["-c", `"${process.execPath}" "${tsx}" src/cli/main.ts --help | head -1`], {
      cwd: packageRoot,
    });
    const { code, out, err } = await ending(child);
    expect([code, out]).toEqual([0, "pipe COMMAND [options]\n"]);
    expect(err).not.toContain("EPIPE");
  });
});
