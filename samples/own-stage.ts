// A stage of one's own between two of the project's: only the largest face of each frame goes on.
import { z } from "zod";
import { type Crop, defineStage, looseContext, stages, toStream } from "../src/index.ts";

const keepLargest = defineStage({
  name: "keep-largest",
  summary: "crop* → the largest crop of each frame",
  version: 1,
  takes: "crop",
  gives: "crop",
  options: z.strictObject({}),
  run: () =>
    async function* (crops) {
      const area = ({ box }: Crop) => (box ? box.width * box.height : 0);
      let best: Crop | undefined;
      for await (const crop of crops) {
        if (best && crop.index !== best.index) yield best;
        if (!best || crop.index !== best.index || area(crop) > area(best)) best = crop;
      }
      if (best) yield best;
    },
});

const clip = "data/samples/two-faces.mp4";
await using context = looseContext({ source: { path: clip, name: clip, bytes: 0, digest: "" } });
const frames = toStream(stages["extract-frames"]({ fps: 1 }), context);
const crops = frames.pipe(toStream(stages["crop-faces"]({}), context)).pipe(toStream(keepLargest({}), context));
for await (const { index, box } of crops as AsyncIterable<Crop>)
  console.log(`frame ${index}: ${box?.width.toFixed(0)} × ${box?.height.toFixed(0)} px`);
