// A pipeline of pipelines.yaml from a program, twice: the second time nothing is computed.
import { bind, load, run, stages } from "../src/index.ts";

const output = process.argv[2] ?? "data/cache/sample";
const pipelines = await load("pipelines.yaml", stages);
const given = { input: ["data/samples/one-face.mp4"], preset: "small", fps: 5, output };
const pipeline = bind(pipelines["extract-latents"]!, stages, given);

for (const time of ["first", "second"]) {
  const { report } = await run(pipeline, { stages });
  console.log(`${time}: ${report.items.map(({ source, status }) => `${source.name} ${status}`).join(", ")}`);
}
