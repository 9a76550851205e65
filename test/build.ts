import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Tests that type `pipe` run what users run: the compiled program, never an old one. */
export function setup(): void {
  execFileSync("npm", ["run", "--silent", "build"], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    stdio: "inherit",
  });
}
