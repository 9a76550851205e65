import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { parse } from "csv-parse/sync";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { expect, it } from "vitest";
import { digestOf } from "../../src/digest.ts";
import { seeded } from "../../src/random.ts";
import type { Prediction, Source } from "../../src/records.ts";
import { readScores } from "../../src/report/scores/entry.ts";
import { verifyScores } from "../../src/report/scores/verify.ts";
import { stages } from "../../src/stages/index.ts";
import writeScores from "../../src/stages/write-scores.ts";
import { folder } from "../cache/helpers.ts";
import { prediction, unsteady } from "../report/scores/rows.ts";
import { only, SOURCE, task } from "./cached.ts";

const faces = unsteady(seeded(21), 50);
const after = { index: 50, pts: faces.at(-1)!.pts + 40_000, shot: 1 };
const rows = [...faces, prediction({ ...after, status: "no_face" })];

async function publish(
  output: string,
  {
    seed = 1,
    source = SOURCE,
    format = "parquet" as "parquet" | "csv" | "both",
    records = rows,
    facts = {},
    options = {},
  } = {},
) {
  await using context = task(seed, source);
  context.facts.model = "a model";
  context.facts.scale = { valence: [-2, 2], arousal: [-1, 1] };
  Object.assign(context.facts, facts);
  const counted = (async function* () {
    let frame = -1;
    for (const row of records) {
      if (row.index === frame) context.ledger.add("extra");
      else for (const name of ["demuxed", "decoded", "sampled"] as const) context.ledger.add(name);
      frame = row.index;
      yield row;
    }
    context.verdict("truncated", "It ends early.");
  })();
  return only(writeScores({ output, format, ...options }).run(context)(counted));
}

const cachedFor = (output: string, seed = 1, source: Source = SOURCE) =>
  writeScores.cached!(writeScores.options.parse({ output }), { source, key: task(seed, source).key });

async function filesOf(place: string): Promise<Record<string, string>> {
  const names = (await readdir(place, { recursive: true, withFileTypes: true })).filter((each) => each.isFile());
  const all = names.map((each) => join(each.parentPath, each.name)).sort();
  return Object.fromEntries(
    await Promise.all(all.map(async (path) => [path.slice(place.length + 1), digestOf(await readFile(path))])),
  );
}

it("publishes one folder a video, named so that people find it, with every row", async () => {
  await using output = await folder();
  const { path, bytes } = await publish(output.path, { format: "both" });
  expect(basename(path)).toBe(`clip_one-${SOURCE.digest.slice(0, 12)}`);
  expect((await readdir(path)).sort()).toEqual([
    "marker.json",
    "scores.csv",
    "scores.parquet",
    "subtitles.vtt",
    "summary.json",
    "timeline.html",
  ]);
  const found = await parquetReadObjects({ file: await asyncBufferFromFile(join(path, "scores.parquet")) });
  expect(found.map(({ frame, track, status }) => [frame, track, status])).toEqual(
    rows.map(({ index, track, status }) => [index, track < 0 ? null : track, status]),
  );
  expect(found.some(({ status }) => status === "no_face")).toBe(true);
  const summary = JSON.parse(await readFile(join(path, "summary.json"), "utf8"));
  expect(summary).toMatchObject({
    model: "a model",
    scale: { valence: [-2, 2] },
    smoothMs: 200,
    video: { rows: rows.length, frames: 51 },
  });
  expect(await readFile(join(path, "timeline.html"), "utf8")).toContain("It ends early.");
  const marker = await readScores(path, { hash: true });
  expect(marker).toMatchObject({ verdict: "truncated", overview: { frames: 51, tracks: 6 }, counts: { sampled: 51 } });
  expect(bytes).toBe(marker!.files.reduce((sum, file) => sum + file.bytes, 0));
  expect((await readdir(output.path)).sort()).toEqual([basename(path)]);
});

it("same rows, same bytes; a renamed video finds its scores; other options take the old ones' place", async () => {
  await using a = await folder();
  const { path } = await publish(a.path);
  const before = await filesOf(a.path);
  expect(await cachedFor(a.path)).toMatchObject({ artifact: { path }, verdict: "truncated", detail: "It ends early." });
  const renamed = { ...SOURCE, name: "other/name.mp4" };
  expect((await cachedFor(a.path, 1, renamed))?.artifact.path).toBe(path);
  await publish(a.path);
  expect(await filesOf(a.path)).toEqual(before);
  expect(await cachedFor(a.path, 2)).toBeUndefined();
  expect(await writeScores.published!(writeScores.options.parse({ output: a.path }), SOURCE)).toMatchObject([
    { steps: [{ options: { seed: 1 } }] },
  ]);
  await publish(a.path, { seed: 2, source: renamed });
  expect(await readdir(a.path)).toEqual([basename(path)]);
  expect(await cachedFor(a.path, 1)).toBeUndefined();
  expect(await cachedFor(a.path, 2)).toMatchObject({ artifact: { path } });
});

it("subtitles, summary and timeline count from the file's first frame, or from the container's zero; rows have both", async () => {
  await using a = await folder();
  await using b = await folder();
  await using c = await folder();
  const text = async (place: { path: string }, name: string) => readFile(join(place.path, name), "utf8");
  const plain = await publish(a.path, { format: "csv" });
  // The same video in a container whose clock is ahead: players show it no later.
  const late = rows.map((row) => ({ ...row, pts: row.pts + 1_400_000 }));
  const facts = { firstPts: 1_400_000 };
  const shown = await publish(b.path, { format: "csv", records: late, facts });
  for (const name of ["subtitles.vtt", "timeline.html", "summary.json"])
    expect(await text(shown, name), name).toBe(await text(plain, name));
  const cells = async (place: { path: string }) =>
    parse(await text(place, "scores.csv"), { columns: true }) as Record<string, string>[];
  const found = await cells(shown);
  expect(found.map(({ pts, seconds, shown_seconds }) => [pts, seconds, shown_seconds].map(Number))).toEqual(
    late.map(({ pts }) => [pts, pts / 1e6, (pts - 1_400_000) / 1e6]),
  );
  expect((await cells(plain)).every(({ seconds, shown_seconds }) => seconds === shown_seconds)).toBe(true);
  const container = await publish(c.path, { records: late, facts, options: { clock: "container" } });
  const cue = (vtt: string) => /^00:00:(\S+) -->/m.exec(vtt)![1];
  const first = Number(cue(await text(plain, "subtitles.vtt")));
  expect(Number(cue(await text(container, "subtitles.vtt")))).toBeCloseTo(first + 1.4, 6);
  expect(JSON.parse(await text(container, "summary.json"))).toMatchObject({
    clock: "container",
    shots: [{ from: late[0]!.pts / 1e6 }, { from: expect.any(Number) }],
  });
});

it("names what an edited video was scored with before, and keeps same basenames apart", async () => {
  await using output = await folder();
  await publish(output.path);
  const edited = { ...SOURCE, digest: digestOf("edited") };
  expect(await cachedFor(output.path, 1, edited)).toBeUndefined();
  expect(await writeScores.published!(writeScores.options.parse({ output: output.path }), edited)).toHaveLength(1);
  const twin = { ...SOURCE, name: "elsewhere/clip one.mp4", digest: digestOf("twin") };
  const { path } = await publish(output.path, { source: twin });
  expect(await readdir(output.path)).toHaveLength(2);
  expect(path).toBe(join(output.path, "elsewhere", `clip_one-${twin.digest.slice(0, 12)}`));
});

it("keeps the folders of the input, below the output alone, and finds a moved video where it was scored", async () => {
  await using output = await folder();
  const at = async (name: string, content = name) => {
    const source = { ...SOURCE, name, digest: digestOf(content) };
    const { path } = await publish(output.path, { source });
    expect((await cachedFor(output.path, 1, source))?.artifact.path).toBe(path);
    return relative(output.path, path);
  };
  const ending = (content: string) => digestOf(content).slice(0, 12);
  expect(await at("2019/cam1/clip.mp4")).toBe(`2019/cam1/clip-${ending("2019/cam1/clip.mp4")}`);
  expect(await at("2019/cam2/clip.mp4")).toBe(`2019/cam2/clip-${ending("2019/cam2/clip.mp4")}`);
  expect(await at("2020/moved.mp4", "2019/cam1/clip.mp4")).toBe(`2019/cam1/clip-${ending("2019/cam1/clip.mp4")}`);
  expect(await at("../../up/a b.mp4", "up")).toBe(`up/a_b-${ending("up")}`);
  // A folder of videos that is named as a folder of scores is none.
  expect(await at("cam-0123456789ab/clip.mp4", "like")).toBe(`cam-0123456789ab_/clip-${ending("like")}`);
  const verified: string[] = [];
  for await (const { entry, ok } of verifyScores(output.path)) if (ok) verified.push(entry);
  expect(verified).toHaveLength(4);
  expect(verified).toContain(`2019/cam2/clip-${ending("2019/cam2/clip.mp4")}`);
  const page = await readFile(
    join(output.path, `2019/cam2/clip-${ending("2019/cam2/clip.mp4")}`, "timeline.html"),
    "utf8",
  );
  expect(page).toContain('href="../../../index.html"');
});

it("says in every file why nobody should rely on the scores, and nothing where there is no reason", async () => {
  await using output = await folder();
  const files = async (facts: Record<string, string>, source: Source) => {
    const { path } = await publish(output.path, { source, facts });
    const text = (name: string) => readFile(join(path, name), "utf8");
    const { key_value_metadata } = await parquetMetadataAsync(await asyncBufferFromFile(join(path, "scores.parquet")));
    const notes = Object.fromEntries(key_value_metadata!.map(({ key, value }) => [key, value]));
    return {
      summary: JSON.parse(await text("summary.json")) as object,
      vtt: await text("subtitles.vtt"),
      page: await text("timeline.html"),
      notes,
    };
  };
  const drawn = await files({ trainedOn: "synthetic faces", caution: "Drawn faces alone." }, SOURCE);
  expect(drawn.summary).toMatchObject({ trainedOn: "synthetic faces", caution: "Drawn faces alone." });
  expect(drawn.notes).toMatchObject({ trainedOn: "synthetic faces", caution: "Drawn faces alone." });
  expect(drawn.vtt).toContain("NOTE Drawn faces alone.");
  expect(drawn.page).toContain(">Drawn faces alone.</p>");
  const real = await files({ trainedOn: "AFEW-VA" }, { ...SOURCE, digest: digestOf("real") });
  expect(real.summary).toMatchObject({ trainedOn: "AFEW-VA", caution: null });
  expect(Object.keys(real.notes)).not.toContain("caution");
  expect(real.vtt + real.page).not.toMatch(/trial only|class="banner"/);
});

it("does not take damaged scores for done, and mends them", async () => {
  await using output = await folder();
  const { path } = await publish(output.path);
  const before = await filesOf(output.path);
  const verified = async () => {
    const said: string[] = [];
    for await (const { ok, problems } of verifyScores(output.path)) said.push(ok ? "ok" : problems.join("; "));
    return said;
  };
  expect(await verified()).toEqual(["ok"]);
  await writeFile(join(path, "note.txt"), "mine");
  await writeFile(join(path, "subtitles.vtt"), (await readFile(join(path, "subtitles.vtt"), "utf8")).replace("V", "W"));
  expect((await verified())[0]).toMatch(
    /^note.txt does not belong to the scores; subtitles.vtt was changed: its sha256 is/,
  );
  await rm(join(path, "note.txt"));
  for (const harm of [
    () => rm(join(path, "scores.parquet")),
    () => writeFile(join(path, "summary.json"), "{}"),
    async () => {
      const marker = await readFile(join(path, "marker.json"), "utf8");
      await writeFile(join(path, "marker.json"), marker.replace('"tracks": 6', '"tracks": 7'));
    },
    () => rm(join(path, "marker.json")),
  ]) {
    await harm();
    expect(await cachedFor(output.path)).toBeUndefined();
    expect(await verified()).not.toEqual(["ok"]);
    await publish(output.path);
    expect(await filesOf(output.path)).toEqual(before);
  }
});

it("leaves nothing behind when the rows fail, the ledger does not balance, or nobody said how it ended", async () => {
  await using output = await folder();
  const broken = async function* (): AsyncGenerator<Prediction> {
    yield prediction();
    throw new Error("the disk is on fire");
  };
  const run = async (input: AsyncIterable<Prediction>, count = 0) => {
    await using context = task();
    if (count > 0) for (const name of ["demuxed", "decoded", "sampled"] as const) context.ledger.add(name, count);
    return only(writeScores({ output: output.path }).run(context)(input));
  };
  const good = async function* () {
    yield prediction();
  };
  await expect(run(broken())).rejects.toThrow("on fire");
  await expect(run(good(), 2)).rejects.toThrow(/Nobody said|does not balance/);
  await expect(run(good())).rejects.toThrow(/Nobody said whether clip one.mp4 was read to its end/);
  await expect(readdir(output.path)).resolves.toEqual([]);
  expect(stages["write-scores"]).toBe(writeScores);
});
