import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { expect, it } from "vitest";
import { seeded } from "../../../src/random.ts";
import { columns } from "../../../src/report/scores/columns.ts";
import type { ScoreRow } from "../../../src/report/scores/row.ts";
import { csvFile, parquetFile, type RowFile } from "../../../src/report/scores/row-file.ts";
import { Smoother } from "../../../src/report/scores/smooth.ts";
import { folder } from "../../cache/helpers.ts";
import { prediction, unsteady } from "./rows.ts";

const scale = { valence: [-1, 1], arousal: [-1, 1] } as const;
const table = columns(scale);

function rowsOf(frames: number): ScoreRow[] {
  const smoother = new Smoother(100);
  const rows = unsteady(seeded(5), frames);
  const rich = rows.map((row, i) =>
    row.status === "ok" && i % 2 === 0
      ? {
          ...row,
          quadrant: Float32Array.of(0.1, 0.2, 0.3, 0.4),
          confidence: 0.4,
          entropy: 1.5,
          expression: { name: 'glad, "very"\nso', probability: 0.9 },
          quality: { size: 33, blur: 1e5 / 3, yaw: null },
        }
      : row,
  );
  return [...rich.flatMap((row) => smoother.push(row)), ...smoother.end()];
}

async function write(open: Promise<RowFile>, rows: readonly ScoreRow[]): Promise<void> {
  await using file = await open;
  for (const row of rows) await file.write(row);
  await file.end();
}

/** What a reader is to find. */
function wanted(row: ScoreRow): Record<string, unknown> {
  const entries = table.map(({ name, type, of }) => {
    const value = of(row);
    return [name, type === "FLOAT" && value !== null ? Math.fround(value as number) : value];
  });
  return Object.fromEntries(entries);
}

it("Parquet: types, missing values and notes are read back, over several row groups and from none", async () => {
  await using place = await folder();
  for (const rows of [rowsOf(40), [], rowsOf(150)]) {
    const path = join(place.path, `${rows.length}.parquet`);
    await write(parquetFile(path, table, { model: "a model" }, 100), rows);
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    expect(metadata.key_value_metadata).toEqual([{ key: "model", value: "a model" }]);
    expect(metadata.schema.slice(1).map(({ name, type, repetition_type }) => [name, type, repetition_type])).toEqual(
      table.map(({ name, type, nullable }) => [
        name,
        type === "STRING" ? "BYTE_ARRAY" : type,
        nullable ? "OPTIONAL" : "REQUIRED",
      ]),
    );
    expect(Number(metadata.num_rows)).toBe(rows.length);
    expect(metadata.row_groups.length).toBe(Math.ceil(rows.length / 100));
    const found = await parquetReadObjects({ file });
    expect(found.length).toBe(rows.length);
    expect(found).toEqual(rows.map(wanted));
  }
});

it("CSV: the same values, empty where missing, floats with the digits that they need", async () => {
  await using place = await folder();
  const [rows, path] = [rowsOf(300), join(place.path, "a.csv")];
  await write(csvFile(path, table), rows);
  const found = parse(await readFile(path, "utf8"), { columns: true }) as Record<string, string>[];
  expect(found.length).toBe(rows.length);
  const read = found.map((cells) =>
    table.map(({ name, type }) => {
      const text = cells[name]!;
      if (text === "" || type === "STRING") return text === "" ? null : text;
      return type === "FLOAT" ? Math.fround(Number(text)) : type === "INT64" ? BigInt(text) : Number(text);
    }),
  );
  expect(read).toEqual(rows.map((row) => Object.values(wanted(row))));
  const [tenth] = [prediction({ valence: Math.fround(0.1) })].map((row) => ({
    ...row,
    valenceSmoothed: null,
    arousalSmoothed: null,
  }));
  await write(csvFile(join(place.path, "b.csv"), table), [tenth!]);
  expect(await readFile(join(place.path, "b.csv"), "utf8")).toMatch(
    /^pts,seconds,frame,shot,.*,affect_quadrant\n0,0,0,0,0,10.25,20.5,40,44,ok,0.75,0.1,-0.25,,,,.*,0,,3\n/,
  );
});

it("quadrant and confidence are of the same answer as quadrant_0 to quadrant_3; that of valence and arousal has its own name", () => {
  const said = (row: Partial<ScoreRow>) => {
    const full = { ...prediction(row), valenceSmoothed: null, arousalSmoothed: null } as ScoreRow;
    return Object.fromEntries(table.map(({ name, of }) => [name, of(full)]));
  };
  const quadrant = Float32Array.of(0.25, 0.125, 0.5, 0.125);
  const both = said({ valence: 0.3, arousal: 0.2, quadrant, confidence: 0.5 });
  expect(both).toMatchObject({ quadrant: 2, quadrant_2: 0.5, confidence: 0.5, affect_quadrant: 0 });
  expect(said({ valence: -0.3, arousal: -0.2 })).toMatchObject({
    quadrant: null,
    quadrant_0: null,
    affect_quadrant: 2,
  });
  expect(said({ valence: null, arousal: 0.2, quadrant })).toMatchObject({ quadrant: 2, affect_quadrant: null });
});

it("columns keep their places: newer ones come last", () => {
  const places = ["pts", "seconds", "frame", "shot", "track", "box_x", "status", "score", "valence", "arousal"];
  const names = table.map(({ name }) => name);
  expect(places.map((name) => names.indexOf(name))).toEqual([0, 1, 2, 3, 4, 5, 9, 10, 11, 12]);
});
