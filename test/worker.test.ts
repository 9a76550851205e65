import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

const built = (path: string) => new URL(`../dist/${path}`, import.meta.url).href;
const sample = new URL("../data/samples/one-face.mp4", import.meta.url).pathname;

it("threads start from a module that is given on node's command line", () => {
  const module = `
    import { decode } from ${JSON.stringify(built("media/index.js"))};
    let frames = 0;
    for await (const _ of decode(${JSON.stringify(sample)})) frames++;
    console.log(frames);`;
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", module], { encoding: "utf8" });
  expect(said.trim()).toBe("100");
});
