import { describe, expect, it } from "vitest";
import { seeded } from "../../../src/random.ts";
import type { Prediction } from "../../../src/records.ts";
import { subtitles, words } from "../../../src/report/scores/subtitles.ts";
import { summarise } from "../../../src/report/scores/summary.ts";
import { Thumbnails } from "../../../src/report/scores/thumbnails.ts";
import { timeline } from "../../../src/report/scores/timeline.ts";
import { prediction, seriesOf, unsteady } from "./rows.ts";

interface Cue {
  from: number;
  to: number;
  text: string;
}

/** A reader of what WebVTT says of cues, as strict as it needs. */
function cuesIn(vtt: string): Cue[] {
  const [head, ...blocks] = vtt.trimEnd().split(/\n\n+/);
  expect(head).toBe("WEBVTT");
  return blocks
    .filter((block) => !block.startsWith("NOTE"))
    .map((block) => {
      const [times, text, ...more] = block.split("\n");
      expect(more).toEqual([]);
      const found = /^(\d\d):(\d\d):(\d\d)\.(\d{3}) --> (\d\d):(\d\d):(\d\d)\.(\d{3})$/
        .exec(times!)!
        .slice(1)
        .map(Number);
      const at = (i: number) => found[i]! * 3600 + found[i + 1]! * 60 + found[i + 2]! + found[i + 3]! / 1000;
      return { from: at(0), to: at(4), text: text! };
    });
}

const still = (from: number, to: number, given: Partial<Prediction>, step = 0.04): Prediction[] =>
  Array.from({ length: Math.round((to - from) / step) }, (_, i) => {
    const seconds = from + i * step;
    return prediction({ index: Math.round(seconds * 100), pts: Math.round(seconds * 1e6), ...given });
  });

describe("subtitles.vtt", () => {
  it("has a cue for each stretch on one level, and none where the face is missing", () => {
    const rows = [
      ...still(0, 2, { valence: 0.5, arousal: -0.5 }),
      ...still(2, 4, { valence: -0.5, arousal: -0.5 }),
      ...still(6, 8, { valence: 0.02, arousal: 0.03 }),
    ];
    const cues = cuesIn(subtitles(seriesOf(rows)));
    expect(cues.map(({ text }) => text.replace(/[+−]?0\.\d\d/g, "n"))).toEqual([
      "#0 V n A n pleased/calm",
      "#0 V n A n displeased/calm",
      "#0 V n A n neutral",
    ]);
    expect(cues[0]!.from).toBe(0);
    expect(cues[0]!.to).toBeCloseTo(2, 0);
    expect(cues[1]!.from).toBe(cues[0]!.to);
    expect(cues[1]!.to).toBeCloseTo(4, 6);
    expect([cues[2]!.from, cues[2]!.to]).toEqual([6, 8]);
    expect(cues[2]!.text).toBe("#0 V +0.02 A +0.03 neutral");
  });

  it("passes over a level that lasts less than half a second", () => {
    const rows = [
      ...still(0, 2, { valence: 0.5, arousal: 0.5 }),
      ...still(2, 2.2, { valence: -0.9, arousal: 0.5 }),
      ...still(2.2, 4, { valence: 0.5, arousal: 0.5 }),
    ];
    expect(cuesIn(subtitles(seriesOf(rows)))).toHaveLength(1);
  });

  it("cues of one track follow one another, whatever the rows are, and go by where they begin", () => {
    const cues = cuesIn(subtitles(seriesOf(unsteady(seeded(11), 400))));
    expect(cues.length).toBeGreaterThan(6);
    const tracks = new Map<string, number>();
    for (const [i, { from, to, text }] of cues.entries()) {
      expect(to).toBeGreaterThan(from);
      if (i > 0) expect(from).toBeGreaterThanOrEqual(cues[i - 1]!.from);
      const track = text.split(" ")[0]!;
      expect(from).toBeGreaterThanOrEqual(tracks.get(track) ?? 0);
      tracks.set(track, to);
    }
  });

  it("of a model that nobody should rely on say so in a note and in every cue", () => {
    const rows = [...still(0, 2, { valence: 0.5, arousal: 0.5 }), ...still(2, 4, { valence: -0.5, arousal: 0.5 })];
    const vtt = subtitles(seriesOf(rows), "Drawn --> faces alone.");
    expect(vtt).toMatch(/^WEBVTT\n\nNOTE Drawn → faces alone\.\n\nNOTE V valence/);
    const texts = cuesIn(vtt).map(({ text }) => text);
    expect(texts).toHaveLength(2);
    for (const text of texts) expect(text).toMatch(/^#0 V .*excited \(trial only\)$/);
    expect(subtitles(seriesOf(rows))).not.toMatch(/trial|Drawn/);
  });

  it("speaks in the model's units, and only of what the model says", () => {
    const nine = { valence: [1, 9], arousal: [1, 9] } as const;
    const rows = still(0, 1, { valence: 7.25, arousal: null });
    expect(cuesIn(subtitles(seriesOf(rows, nine)))[0]!.text).toBe("#0 V 7.3 pleased");
    expect(words(Number.NaN, Number.NaN, nine)).toBe("");
    expect(cuesIn(subtitles(seriesOf([])))).toEqual([]);
  });
});

describe("timeline.html", () => {
  const page = async (rows: readonly Prediction[], name = "a.mp4", more = {}) => {
    const [series, thumbnails] = [seriesOf(rows), new Thumbnails()];
    for (const row of rows) await thumbnails.add(row);
    return timeline(series, summarise(series, { model: "a model", trainedOn: "clips", caution: null }, 100), {
      name,
      thumbnails: thumbnails.all,
      warning: "It ends early.",
      ...more,
    });
  };

  it("says first why nobody should rely on it, and leads back to the index, where there is either", async () => {
    const rows = [prediction()];
    const plain = await page(rows);
    expect(plain).not.toMatch(/class="banner"|all videos/);
    const html = await page(rows, "a.mp4", { caution: "Drawn <faces> alone.", index: "../../index.html" });
    expect(html).toContain('<p><a href="../../index.html">← all videos</a></p>');
    expect(html).toContain('<p class="banner" role="note">Drawn &#60;faces&#62; alone.</p>');
    expect(html.indexOf('class="banner" role')).toBeLessThan(html.indexOf('class="cards"'));
  });

  it("needs no network, and shows names as they are", async () => {
    const html = await page(unsteady(seeded(2), 60), `</script><b>"&'.mp4`);
    expect(html).not.toMatch(/https?:|<link|<script src|@import|url\(/);
    expect(html).not.toContain("<b>\"&'");
    expect(html).toContain("&#60;/script&#62;&#60;b&#62;&#34;&#38;&#39;.mp4");
    expect(html).toContain("It ends early.");
    expect(html.match(/<section class="lane">/g)).toHaveLength(3);
    expect(html).toContain("data:image/jpeg;base64,/9j/");
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("says the values of each point to the script, in order of time", async () => {
    const rows = unsteady(seeded(4), 80);
    const html = await page(rows);
    const data = JSON.parse(/id="data">(.*?)<\/script>/.exec(html)![1]!) as {
      lanes: { id: number; t: number[]; v: number[] }[][];
    };
    const tracks = data.lanes.flat();
    expect(tracks.map(({ id }) => id).sort()).toEqual([0, 1, 2, 3, 4, 5]);
    for (const { id, t, v } of tracks) {
      const own = rows.filter(({ track, status }) => track === id && status === "ok");
      expect(t).toEqual(own.map(({ pts }) => Math.round(pts / 1000)));
      expect(v).toHaveLength(t.length);
    }
  });

  it("stays small for a quarter of an hour of faces, and is a page for a video without any", async () => {
    const long = Array.from({ length: 22_500 }, (_, index) =>
      prediction({ index, pts: index * 40_000, valence: Math.sin(index / 900) }),
    );
    const html = await page(long);
    expect(html.length).toBeLessThan(400_000);
    const none = await page([prediction({ status: "no_face" })]);
    expect(none).toContain("There is no face in it.");
    expect(await page([])).toContain("0 frames");
  });

  it("keeps a bounded number of pictures, one of every track while it can", async () => {
    const thumbnails = new Thumbnails();
    for (let i = 0; i < 400; i++)
      await thumbnails.add(prediction({ index: i, pts: i * 500_000, track: Math.floor(i / 20) }));
    expect(thumbnails.all.length).toBeLessThanOrEqual(120);
    expect(new Set(thumbnails.all.map(({ track }) => track)).size).toBe(20);
    const crowd = new Thumbnails();
    for (let i = 0; i < 200; i++) await crowd.add(prediction({ index: i, pts: i * 40_000, track: i }));
    expect(crowd.all).toHaveLength(120);
  });
});
