import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { scratch } from "./e2e/pipe.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What each program must say; a program without a line here fails. */
const SAYS: Record<string, RegExp> = {
  "faces-of-a-clip.ts": /^0\.000 s {2}track 0 {2}ok {2}0\.\d\d\n(.*\n)*.*track 1 {2}ok/,
  "own-stage.ts": /^(frame \d+: \d+ × \d+ px\n){3,}$/,
  "compile-a-function.ts": /^onnx: 5, 10\n.*ready\n$/,
  "train-a-model.ts": /^fresh: CCC of valence (1\.00|0\.9\d), of arousal (1\.00|0\.9\d)\n$/,
  "run-a-pipeline.ts": /^first: one-face.mp4 done\nsecond: one-face.mp4 cached\n$/,
};

describe("every program in samples/ runs and says what it should", () => {
  for (const name of readdirSync(join(root, "samples")))
    it(name, async () => {
      const args = /^(run|train)-/.test(name) ? [await scratch()] : [];
      const command = ["--import", "tsx", join("samples", name), ...args];
      const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: root });
      expect(stdout).toMatch(SAYS[name]!);
    });
});
