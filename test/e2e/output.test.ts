import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { pipe, scratch } from "./pipe.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
type Steps = { readonly steps: readonly object[] };
const file = parse(readFileSync(join(root, "pipelines.yaml"), "utf8")) as Record<string, Steps>;
/** One pipeline for each sink. */
const pipelines = new Map(Object.entries(file).map(([name, { steps }]) => [Object.keys(steps.at(-1)!)[0], name]));
const all: readonly (readonly string[])[] = [
  ...[...pipelines.values()].map((name) => ["run", name, "--progress", "none"]),
  ["export", "anclaf-frame", "--preset", "small"],
  ["synth", "faces", "--clips", "1", "--frames", "1"],
];

/** Each ends by itself: a run that never ended would exceed the test's time. */
async function refusal(command: readonly string[], output: string): Promise<string> {
  const { code, stdout, stderr } = await pipe([...command, "--output", output]);
  expect([code, stdout], stderr).toEqual([1, ""]);
  expect(stderr).toMatch(/^Cannot write .*\.\n {2}→ .*\n$/m);
  expect(stderr).not.toContain("bug");
  return stderr;
}

describe("an output that can never be made is one error, exit 1", () => {
  it.runIf(process.platform === "linux").each(all.map((command) => [command.join(" "), command] as const))(
    "pipe %s --output /proc/x",
    async (_, command) => {
      const output = command[0] === "export" ? "/proc/x/frame.onnx" : "/proc/x";
      expect(await refusal(command, output)).toContain("ENOENT");
    },
  );

  it.runIf(process.platform === "linux")("/proc itself, which says that it may be written to", async () => {
    expect(await refusal(["run", "find-faces"], "/proc")).toMatch(/\/proc/);
  });

  it("a path too long, and a file in the way", async () => {
    const folder = await scratch();
    await writeFile(join(folder, "file"), "");
    const long = join(folder, ...Array<string>(60).fill("n".repeat(100)));
    expect(await refusal(["run", "extract-latents"], long)).toContain("ENAMETOOLONG");
    expect(await refusal(["run", "score"], join(folder, "file"))).toContain("EEXIST");
    expect(await refusal(["run", "train-anclaf"], join(folder, "file", "out"))).toContain("ENOTDIR");
    expect(readdirSync(folder)).toEqual(["file"]);
  });
});
