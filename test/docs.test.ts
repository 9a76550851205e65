import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { ROWS_SCHEMA } from "../src/cache/rows-schema.ts";
import { columns } from "../src/report/scores/columns.ts";

/** First cells of the table under a heading. */
function columnsUnder(text: string, heading: string): string[] {
  const part = text.split(/^## /m).find((each) => each.startsWith(heading))!;
  return [...part.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name!);
}

it("docs/python.md explains every column of the scores and of the rows, in their order", async () => {
  const text = await readFile("docs/python.md", "utf8");
  const scale = { valence: [-1, 1], arousal: [-1, 1] } as const;
  expect(columnsUnder(text, "Scores")).toEqual(columns(scale).map(({ name }) => name));
  expect(columnsUnder(text, "Latents")).toEqual(ROWS_SCHEMA.fields.map(({ name }) => name));
});
