import type { ClipTruth } from "./truth.ts";

/** The truth of a drawn clip as its label file, `<name>.labels.csv` (see `labelsIn`): one line a face and frame. */
export function labelText(
  frames: readonly {
    readonly pts: number;
    readonly faces: readonly Pick<
      ClipTruth["frames"][number]["faces"][number],
      "identity" | "valence" | "arousal" | "box"
    >[];
  }[],
): string {
  const lines = frames.flatMap(({ pts, faces }) =>
    faces.map(({ identity, valence, arousal, box }) => `${[pts, valence, arousal, identity, ...box].join(",")}\n`),
  );
  return `# range: -1..1\ntime_us,valence,arousal,subject,x,y,width,height\n${lines.join("")}`;
}
