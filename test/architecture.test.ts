import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Upper rooms may import lower ones; rooms on one line may not import each other, except as LEVEL_MATES says. */
const LEVELS: string[][] = [
  ["cli"],
  ["index"],
  ["pipelines"],
  ["stages"],
  ["systems", "datasets", "report"],
  ["vision", "media", "cache", "nn"],
  ["compile"],
  ["base"],
];
/** Vision looks at pixels, which media brings. */
const LEVEL_MATES = new Set(["vision → media", "datasets → systems"]);

const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => `src/${file}`)
  .sort();

const roomOf = (file: string): string => {
  const [, room = ""] = file.split("/");
  if (room === "index.ts") return "index";
  return room.endsWith(".ts") ? "base" : room;
};
const levelOf = (room: string): number => LEVELS.findIndex((level) => level.includes(room));

/** Relative imports of a file (static, dynamic and `new URL` worker modules), as paths from the root. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  const pattern = /(?:from\s+|import\(\s*|import\s+|new URL\(\s*)"(\.{1,2}\/[^"]+\.ts)"/g;
  return [...text.matchAll(pattern)].map(([, target]) => relative(root, join(root, dirname(file), target as string)));
}

const graph = new Map(files.map((file) => [file, importsOf(file)]));

describe("the import rule", () => {
  it("knows every room of src/", () => {
    expect(files.filter((file) => levelOf(roomOf(file)) < 0)).toEqual([]);
  });

  it("finds files and imports at all", () => {
    expect(files.length).toBeGreaterThan(5);
    expect([...graph.values()].flat().length).toBeGreaterThan(5);
  });

  it("only points downward: cli → pipelines → stages → systems, datasets, report → vision, media, cache, nn → compile → base", () => {
    const upward = [...graph].flatMap(([file, targets]) =>
      targets.flatMap((target) => {
        const [from, to] = [roomOf(file), roomOf(target)];
        const allowed = from === to || levelOf(from) < levelOf(to) || LEVEL_MATES.has(`${from} → ${to}`);
        return allowed ? [] : [`${file} → ${target}`];
      }),
    );
    expect(upward).toEqual([]);
  });

  it("names files that exist", () => {
    const missing = [...graph].flatMap(([file, targets]) =>
      targets.filter((target) => !existsSync(join(root, target))).map((target) => `${file} → ${target}`),
    );
    expect(missing).toEqual([]);
  });

  it("has no cycles", () => {
    const cycles: string[] = [];
    const state = new Map<string, "open" | "done">();
    const visit = (file: string, path: string[]): void => {
      if (state.get(file) === "done") return;
      if (state.get(file) === "open") {
        cycles.push([...path.slice(path.indexOf(file)), file].join(" → "));
        return;
      }
      state.set(file, "open");
      for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
      state.set(file, "done");
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });
});
