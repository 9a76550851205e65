import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { generated } from "../../src/pipelines/generate.ts";
import { load } from "../../src/pipelines/load.ts";
import { packageRoot } from "../../src/pipelines/package.ts";
import { stages } from "../../src/stages/index.ts";

it("generated files are those that npm run generate writes", async () => {
  for (const [file, text] of Object.entries(await generated())) {
    const place = path.join(packageRoot, file);
    expect(existsSync(place) ? await readFile(place, "utf8") : "", `${file} is stale: npm run generate`).toBe(text);
  }
});

it("pipelines.yaml has no problems", () => {
  const pipelines = load(path.join(packageRoot, "pipelines.yaml"), stages);
  expect(Object.keys(pipelines)).toContain("extract-latents");
});
