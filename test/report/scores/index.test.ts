import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../../src/digest.ts";
import { MARKER, scoresFolder } from "../../../src/report/scores/entry.ts";
import { writeIndex } from "../../../src/report/scores/index.ts";
import type { Listed } from "../../../src/report/scores/index-rows.ts";
import { folder } from "../../cache/helpers.ts";

/** A folder of scores as an index sees it: its marker. */
async function scored(output: string, name: string, content = name, more: object = {}, facts = {}): Promise<void> {
  const digest = digestOf(content);
  const place = await scoresFolder(output, { name, digest });
  await mkdir(place, { recursive: true });
  const overview = { frames: 30, seconds: 1.25, tracks: 2, coverage: 0.5, valence: -0.125, arousal: null, ...more };
  await writeFile(
    join(place, MARKER),
    JSON.stringify({ source: { name, digest }, verdict: "complete", facts, overview }),
  );
}

const item = (name: string, status: Listed["status"] = "done", content = name, reason?: string): Listed => ({
  source: { name, path: `/in/${name}`, digest: digestOf(content) },
  status,
  ...(reason !== undefined && { reason }),
});

async function listed(output: string) {
  const lines = parse(await readFile(join(output, "index.csv"), "utf8"), { columns: true }) as Record<string, string>[];
  return lines.map(({ name, status, folder, reason }) => ({ name, status, folder, reason }));
}

describe("the index of an archive", () => {
  it("lists duplicates twice, same basenames apart, and failures with their reasons", async () => {
    await using output = await folder();
    await scored(output.path, "a.mp4");
    await scored(output.path, "sub/a.mp4", "other");
    await writeIndex(output.path, [
      item("a.mp4"),
      item("copy, of.mp4", "cached", "a.mp4"),
      item("sub/a.mp4", "done", "other"),
      item("bad.mp4", "failed", "x", 'no "video"\n</script>'),
      item("late.mp4", "stopped"),
    ]);
    const [a, other] = [`a-${digestOf("a.mp4").slice(0, 12)}`, `sub/a-${digestOf("other").slice(0, 12)}`];
    expect(await listed(output.path)).toEqual([
      { name: "a.mp4", status: "done", folder: a, reason: "" },
      { name: "bad.mp4", status: "failed", folder: "", reason: 'no "video"\n</script>' },
      { name: "copy, of.mp4", status: "done", folder: a, reason: "" },
      { name: "late.mp4", status: "stopped", folder: "", reason: "" },
      { name: "sub/a.mp4", status: "done", folder: other, reason: "" },
    ]);
    const page = await readFile(join(output.path, "index.html"), "utf8");
    expect(page).not.toMatch(/https?:|<link|<script src/);
    const rows = JSON.parse(/id="data">(.*?)<\/script>/s.exec(page)![1]!) as unknown[][];
    expect(rows[1]).toEqual(["bad.mp4", "", "failed", "", 'no "video"\n</script>', null, null, null, null, null]);
    expect(rows[0]).toEqual(["a.mp4", `${a}/timeline.html`, "done", "complete", "", 1.3, 2, 0.5, -0.125, null]);
  });

  it("says what scored each video, in which units, and first of all why nobody should rely on it", async () => {
    await using output = await folder();
    const scale = { valence: [-10, 10], arousal: [0, 4] };
    const drawn = {
      model: "sa-8, checkpoint 12",
      scale,
      trainedOn: "synthetic faces",
      caution: "Drawn <faces> alone.",
    };
    const real = { model: "face.onnx", scale: { valence: [-1, 1], arousal: [-1, 1] }, trainedOn: "AFEW-VA" };
    const page = () => readFile(join(output.path, "index.html"), "utf8");
    await scored(output.path, "a.mp4", "a", {}, real);
    await writeIndex(output.path, [item("a.mp4", "done", "a"), item("bad.mp4", "failed")]);
    expect(await page()).not.toContain('class="banner"');
    await scored(output.path, "b & c/b.mp4", "b", {}, drawn);
    await writeIndex(output.path, [item("b & c/b.mp4", "done", "b")]);
    expect(await page()).toContain('role="note">1 of 2 scored videos: Drawn &#60;faces&#62; alone.</p>');
    expect(await page()).toContain(`"b_c/b-${digestOf("b").slice(0, 12)}/timeline.html"`);
    const lines = parse(await readFile(join(output.path, "index.csv"), "utf8"), { columns: true }) as object[];
    const ends = (v: readonly string[], a: readonly string[]) => ({
      ...{ valence_low: v[0], valence_high: v[1], arousal_low: a[0], arousal_high: a[1] },
    });
    expect(lines).toMatchObject([
      { name: "a.mp4", model: "face.onnx", trained_on: "AFEW-VA", caution: "", ...ends(["-1", "1"], ["-1", "1"]) },
      { name: "b & c/b.mp4", model: drawn.model, trained_on: "synthetic faces", caution: drawn.caution },
    ]);
    expect(lines[1]).toMatchObject(ends(["-10", "10"], ["0", "4"]));
    await rm(join(output.path, `a-${digestOf("a").slice(0, 12)}`), { recursive: true });
    await writeIndex(output.path, []);
    expect(await page()).toContain('role="note">Drawn &#60;faces&#62; alone.</p>');
  });

  it("remembers what earlier runs listed, while it is there, and finds what none did", async () => {
    await using output = await folder();
    await scored(output.path, "one.mp4");
    await scored(output.path, "two.mp4");
    const failed = (name: string): Listed => {
      const { source, status } = item(name, "failed");
      return { source: { ...source, path: join(output.path, name) }, status };
    };
    await writeFile(join(output.path, "bad.mp4"), "");
    const first = [item("one.mp4"), item("twin.mp4", "cached", "one.mp4"), failed("bad.mp4"), failed("deleted.mp4")];
    await writeIndex(output.path, first);
    expect((await listed(output.path)).map(({ name }) => name)).toContain("deleted.mp4");
    await scored(output.path, "three.mp4");
    await writeIndex(output.path, [item("three.mp4")]);
    const names = async () => (await listed(output.path)).map(({ name }) => name);
    expect(await names()).toEqual(["bad.mp4", "one.mp4", "three.mp4", "twin.mp4", "two.mp4"]);
    await rm(join(output.path, `one-${digestOf("one.mp4").slice(0, 12)}`), { recursive: true });
    await writeIndex(output.path, [failed("bad.mp4")]);
    expect(await names()).toEqual(["bad.mp4", "three.mp4", "two.mp4"]);
    // An edited video is listed once, with its new scores.
    await scored(output.path, "two.mp4", "edited");
    await writeIndex(output.path, [item("two.mp4", "done", "edited")]);
    expect((await listed(output.path)).filter(({ name }) => name === "two.mp4")).toMatchObject([
      { folder: `two-${digestOf("edited").slice(0, 12)}` },
    ]);
    await rm(join(output.path, "bad.mp4"));
    await writeIndex(output.path, []);
    expect(await names()).not.toContain("bad.mp4");
    await writeFile(join(output.path, "index.csv"), '"spoilt');
    await writeIndex(output.path, []);
    expect((await names()).sort()).toEqual(["three.mp4", "two.mp4", "two.mp4"]);
  });

  it("stays quick and small with ten thousand videos", async () => {
    await using output = await folder();
    // Of five hundred contents: folders are slow to make, and read all the same.
    const names = Array.from({ length: 10_000 }, (_, i) => `season ${i % 40}/episode ${i}.mp4`);
    const contents = names.slice(0, 500);
    await Promise.all(contents.map((name, i) => scored(output.path, name, name, { seconds: i })));
    const items = names.map((name, i) => item(name, "done", contents[i % 500]));
    await writeIndex(output.path, items);
    const rows = await listed(output.path);
    expect(rows).toHaveLength(10_000);
    const page = await readFile(join(output.path, "index.html"), "utf8");
    expect(page.length).toBeLessThan(2_000_000);
    // Rows are data: the browser makes elements of those alone that it shows.
    expect(page.match(/<tr/g)).toHaveLength(1);
  });
});
