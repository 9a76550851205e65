import { mkdir, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";

/** How often the file system was asked, by function; of those that open a file, by its name, too. */
const asked = vi.hoisted(() => new Map<string, number>());
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const count = (name: string) => asked.set(name, (asked.get(name) ?? 0) + 1);
  const counting = ["readFile", "open", "stat", "lstat", "readdir", "realpath"].map((name) => [
    name,
    (...given: unknown[]) => {
      count(name);
      if (name === "readFile" || name === "open") count(`${name} ${path.basename(String(given[0]))}`);
      return (real as unknown as Record<string, (...all: unknown[]) => unknown>)[name]!(...given);
    },
  ]);
  return { ...real, ...Object.fromEntries(counting) };
});

const { digestOf } = await import("../../src/digest.ts");
const { Ledger } = await import("../../src/ledger.ts");
const { bind } = await import("../../src/pipelines/bind.ts");
const { parsePipelines } = await import("../../src/pipelines/load.ts");
const { run } = await import("../../src/pipelines/run.ts");
const { VERSIONS } = await import("../../src/cache/marker.ts");
const { sealed } = await import("../../src/cache/sealed.ts");
const { markersByName } = await import("../../src/report/scores/by-name.ts");
const { MARKER } = await import("../../src/report/scores/entry.ts");
const { writeIndex } = await import("../../src/report/scores/index.ts");
const { default: extractFrames } = await import("../../src/stages/extract-frames.ts");
const { seen, stages: fakes } = await import("./fakes.ts");
const { temporary } = await import("./temporary.ts");

const FILES = 300;
/** The input's own and the four in it. */
const FOLDERS = 5;
const times = (name: string): number => asked.get(name) ?? 0;

beforeEach(() => {
  asked.clear();
  vi.restoreAllMocks();
});

describe("a round that finds nothing new", () => {
  it("costs one listing and at most two looks a folder, and two stats a file: nothing is opened, no model read again", async () => {
    const [input, output] = [await temporary(), path.join(await temporary(), "made")];
    for (let i = 0; i < FILES; i++) {
      const file = path.join(input, `season ${i % 4}/episode ${i}.mp4`);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, `video ${i}`);
      await utimes(file, 1000, 1000);
    }
    const drain = new AbortController();
    const rounds: Map<string, number>[] = [];
    const counted = Object.assign(Object.create(extractFrames), {
      async *sources(options: never, tools: never) {
        asked.clear();
        yield* extractFrames.sources!(options, tools);
        // What planning does with the last one is counted in no round, and is the same for all.
        rounds.push(new Map(asked));
        if (rounds.length === 4) drain.abort();
      },
    });
    const stages = { ...fakes, "extract-frames": counted };
    const text = JSON.stringify({
      watched: {
        about: "…",
        steps: [{ "extract-frames": { input: [input] } }, { weigh: {} }, { "keep-sum": { output } }],
      },
    });
    const pipeline = bind(parsePipelines(text, "pipelines.yaml", stages).pipelines.watched!, stages, {}, []);
    seen.models = 0;
    let [performed, digested] = [0, 0];
    const { report } = await run(pipeline, {
      stages,
      drain: drain.signal,
      watch: { every: 1, steady: 0 },
      digest: async () => async (file) => {
        digested += 1;
        return digestOf(file);
      },
      perform: async () => {
        performed += 1;
        const { counts } = new Ledger();
        return { status: "done", verdict: "complete", counts, seconds: 0, stages: {}, facts: {}, artifacts: [] };
      },
    });
    expect([report.totals.done, performed, digested, seen.models]).toEqual([FILES, FILES, FILES, 1]);
    for (const round of rounds.slice(1)) {
      expect(Object.fromEntries([...round].filter(([name]) => /^(readFile|open)/.test(name)))).toEqual({});
      expect(round.get("readdir")).toBe(FOLDERS);
      expect(round.get("realpath")).toBeLessThanOrEqual(2 * FOLDERS);
      expect((round.get("stat") ?? 0) + (round.get("lstat") ?? 0)).toBeLessThanOrEqual(2 * FILES + 4);
    }
  });

  it("still refuses a link that leads nowhere, takes one that leads out of the folder, and takes a file once under two names", async () => {
    const [input, elsewhere] = [await temporary(), await temporary()];
    for (const file of [path.join(input, "a.mp4"), path.join(elsewhere, "b.mp4")]) await writeFile(file, "bytes");
    await symlink(path.join(input, "a.mp4"), path.join(input, "z.mp4"));
    await symlink(path.join(elsewhere, "b.mp4"), path.join(input, "out.mp4"));
    await symlink(path.join(input, "nothing"), path.join(input, "dangling.mp4"));
    const link = path.join(elsewhere, "link");
    await symlink(input, link);
    const found: string[] = [];
    const tools = { signal: new AbortController().signal, digest: async () => "d", note() {} };
    for await (const one of extractFrames.sources!(extractFrames.options.parse({ input: [link, input] }), tools))
      found.push(`${one.name}: ${"refused" in one ? one.refused : "taken"}`);
    expect(found).toEqual([
      "a.mp4: taken",
      expect.stringMatching(/^dangling\.mp4: .*(not there|no such|exist)/),
      "out.mp4: taken",
    ]);
  });
});

describe("scores that are known", () => {
  async function scored(output: string, name: string, more: object = {}): Promise<void> {
    const digest = digestOf(name);
    const folder = path.join(output, `${name}-${digest.slice(0, 12)}`);
    await mkdir(folder, { recursive: true });
    const overview = { frames: 1, seconds: 1, tracks: 1, coverage: 1, valence: 0, arousal: 0, ...more };
    const marker = {
      ...{ format: 1, kind: "scores", versions: VERSIONS, files: [{ name: "scores.csv", bytes: 1, sha256: digest }] },
      ...{ key: digest, keyParts: { of: name }, source: { name, bytes: 1, digest }, verdict: "complete", facts: {} },
      ...{ counts: { ...new Ledger().counts }, overview },
    };
    await writeFile(path.join(folder, MARKER), sealed(marker as never));
  }
  const item = (name: string) => ({
    source: { name, path: `/in/${name}`, digest: digestOf(name) },
    status: "done" as const,
  });

  it("are not read again for an index that one video is added to, and are where they have changed", async () => {
    const output = await temporary();
    const names = Array.from({ length: FILES }, (_, i) => `v${i}`);
    for (const name of names) await scored(output, name);
    // The file system's clock has moved on.
    const now = Date.now();
    vi.spyOn(Date, "now").mockImplementation(() => now + 60_000);
    await writeIndex(output, names.map(item));
    expect(times(`open ${MARKER}`)).toBe(FILES);
    asked.clear();
    await scored(output, "new");
    await scored(output, "v7", { seconds: 77 });
    await writeIndex(output, [...names, "new"].map(item));
    expect(times(`open ${MARKER}`)).toBe(2);
    const { readFile } = await import("node:fs/promises");
    const csv = await readFile(path.join(output, "index.csv"), "utf8");
    expect(
      csv
        .split("\n")
        .filter((line) => /^(v7|new),/.test(line))
        .map((line) => line.split(",")[6]),
    ).toEqual(["1", "77"]);
  });

  it("are looked through once for what edited videos were scored with before", async () => {
    const output = await temporary();
    for (let i = 0; i < FILES; i++) await scored(output, `v${i}`);
    const parts = async (name: string) => (await markersByName(output, name)).map(({ keyParts }) => keyParts);
    expect(await parts("v9")).toEqual([{ of: "v9" }]);
    expect(await parts("never")).toEqual([]);
    expect(times(`open ${MARKER}`)).toBe(FILES + 1);
    asked.clear();
    for (let i = 0; i < 50; i++) expect(await parts(`not there ${i}`)).toEqual([]);
    expect(times(`open ${MARKER}`)).toBe(0);
    await scored(output, "later");
    expect(await parts("later")).toEqual([{ of: "later" }]);
    expect(times(`open ${MARKER}`)).toBe(2);
  });
});
