// The faces of a clip, as they are found: stages as plain Node streams.
import { pipeline } from "node:stream/promises";
import { type Crop, looseContext, stages, toStream } from "../src/index.ts";

const clip = process.argv[2] ?? "data/samples/two-faces.mp4";

await using context = looseContext({ source: { path: clip, name: clip, bytes: 0, digest: "" } });
await pipeline(
  toStream(stages["extract-frames"]({ fps: 2 }), context),
  toStream(stages["crop-faces"]({}), context),
  async (crops: AsyncIterable<Crop>) => {
    for await (const { pts, track, status, score } of crops)
      console.log(`${(pts / 1e6).toFixed(3)} s  track ${track}  ${status}  ${score.toFixed(2)}`);
  },
);
