import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pipe, scratch } from "./pipe.ts";

test("an interrupted `pipe synth faces` says so and leaves nothing behind", async () => {
  const folder = await scratch();
  const words = ["synth", "faces", "--clips", "500", "--frames", "200", "--output", join(folder, "faces")];
  const { code, stdout, stderr } = await pipe(words, {
    during: async (kill) => {
      while ((await readdir(folder)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      kill("SIGINT");
    },
  });
  expect(code).toBe(130);
  expect(stdout).toBe("");
  expect(stderr).toContain("nothing was kept");
  expect(await readdir(folder)).toEqual([]);
});
