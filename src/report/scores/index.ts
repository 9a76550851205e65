import { join, resolve } from "node:path";
import { TextFile } from "../../cache/text-file.ts";
import { indexPage } from "./index-page.ts";
import { INDEX_CSV, indexCsv, indexRows, type Listed } from "./index-rows.ts";

/** Writes `index.csv` and `index.html` over all scores in a folder. Each appears whole or not at all. */
export async function writeIndex(output: string, run: readonly Listed[]): Promise<void> {
  const rows = await indexRows(output, run);
  for (const [name, text] of [
    [INDEX_CSV, indexCsv(rows)],
    ["index.html", indexPage(rows)],
  ] as const) {
    await using file = await TextFile.open(join(resolve(output), name));
    await file.write(text);
    await file.publish();
  }
}
