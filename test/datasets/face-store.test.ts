import { execFile } from "node:child_process";
import { open, readdir, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { tableFromIPC } from "apache-arrow";
import fc from "fast-check";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readAfewVa } from "../../src/datasets/afew-va.ts";
import { type FaceStore, openFaceStore, type PackOptions, packFaces, rowsOf } from "../../src/datasets/face-store.ts";
import { readSewa } from "../../src/datasets/sewa.ts";
import type { Dataset } from "../../src/datasets/types.ts";
import { PipeError } from "../../src/errors.ts";
import { hasFfmpeg } from "../media/clips.ts";
import { afewClip, afewFrame, face, folder, grey, put, sewaSegment, stem } from "./trees.ts";

const SIDE = 20;
const FACE = SIDE * SIDE * 3;

let at: Awaited<ReturnType<typeof folder>>;
let dataset: Dataset;
beforeAll(async () => {
  at = await folder();
  await afewClip(at.path, "data/001", "Ann", 7);
  await afewClip(at.path, "data/002", "Bob", 20);
  await afewClip(at.path, "data/003", "Cy", 1);
  dataset = await readAfewVa(join(at.path, "data"));
});
afterAll(() => at[Symbol.asyncDispose]());

const pack = (place: string, options: PackOptions = {}, data = dataset) =>
  packFaces(data, place, { side: SIDE, ...options });

async function bytesOf(place: string): Promise<Record<string, Buffer>> {
  const names = (await readdir(place)).sort();
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(place, name))])));
}

async function facesOf(store: FaceStore, indices: ArrayLike<number>): Promise<Buffer> {
  const into = Buffer.alloc(indices.length * FACE, 7);
  await store.read(indices, into);
  return into;
}

/** The crop as the paper's script says it, from the file, by hand. */
async function slowFace(
  path: string,
  points: readonly (readonly [number, number])[],
  share: number,
): Promise<{ box: number[]; pixels: Buffer }> {
  const [xs, ys] = [points.map(([x]) => Math.trunc(x)), points.map(([, y]) => Math.trunc(y))];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const { width, height } = await sharp(path).metadata();
  const x0 = Math.max(0, Math.floor(left - (right - left) * share));
  const x1 = Math.min(width, Math.ceil(right + (right - left) * share));
  const y0 = Math.max(0, Math.floor(top - (bottom - top) * share));
  const y1 = Math.min(height, Math.ceil(bottom + (bottom - top) * share));
  const box = { left: x0, top: y0, width: x1 - x0, height: y1 - y0 };
  const pixels = await sharp(path).extract(box).resize(SIDE, SIDE, { fit: "fill", kernel: "linear" }).raw().toBuffer();
  return { box: [x0, y0, x1 - x0, y1 - y0], pixels };
}

describe("a face store", () => {
  it("has every labelled frame's crop, label and landmarks", async () => {
    const place = join(at.path, "whole");
    const packed = await pack(place);
    expect(packed).toMatchObject({ folder: place, made: true, count: 28, labelled: 28, skipped: [] });
    await using store = await openFaceStore(place);
    expect(store).toMatchObject({ count: 28, side: SIDE, points: 68, range: dataset.range, labelled: 28, skipped: [] });
    expect(store.dataset.name).toBe("afew-va");
    expect(store.clips).toEqual(dataset.clips.map(({ id, group }) => ({ id, group })));
    const pixels = await facesOf(
      store,
      Array.from({ length: 28 }, (_, i) => i),
    );
    let row = 0;
    for (const [number, clip] of dataset.clips.entries())
      for (const [i, frame] of clip.frames.entries()) {
        const path = clip.media.kind === "images" ? clip.media.paths[i]! : "";
        const { box, pixels: right } = await slowFace(path, face(68, frame.id), 1 / 8);
        expect(pixels.subarray(row * FACE, (row + 1) * FACE).equals(right)).toBe(true);
        expect([store.clipOf[row], store.frameOf[row], store.valence[row], store.arousal[row], store.pts[row]]).toEqual(
          [number, frame.id, frame.valence, frame.arousal, Number.NaN],
        );
        expect([...store.box.subarray(row * 4, row * 4 + 4)]).toEqual(box);
        const [x, y, width, height] = box as [number, number, number, number];
        for (const [k, point] of face(68, frame.id).entries()) {
          expect(store.landmarks[(row * 68 + k) * 2]).toBeCloseTo(((point[0] - x) * SIDE) / width, 4);
          expect(store.landmarks[(row * 68 + k) * 2 + 1]).toBeCloseTo(((point[1] - y) * SIDE) / height, 4);
        }
        row++;
      }
    expect(row).toBe(28);
    const table = tableFromIPC(await readFile(join(place, "rows.arrow")));
    expect(table.numRows).toBe(28);
    expect(table.get(8)!.toJSON()).toMatchObject({ slot: 8, clip: 1, frame: 1, pts: null, valence: -1 });
  });

  it("has the same bytes however much was done at once, and in whatever shards the same faces", async () => {
    await pack(join(at.path, "one"), { parallel: 1 });
    await pack(join(at.path, "many"), { parallel: 7 });
    const one = await bytesOf(join(at.path, "one"));
    expect(await bytesOf(join(at.path, "many"))).toEqual(one);
    expect(Object.keys(one)).toEqual(["faces-00000.rgb", "marker.json", "rows.arrow"]);

    const places = [join(at.path, "one"), join(at.path, "sharded")];
    await pack(places[1]!, { shardBytes: 5 * FACE + 1 });
    expect((await readdir(places[1]!)).filter((name) => name.endsWith(".rgb"))).toHaveLength(6);
    await using store = await openFaceStore(places[0]!);
    await using sharded = await openFaceStore(places[1]!);
    const all = await facesOf(
      store,
      Array(28)
        .fill(0)
        .map((_, i) => i),
    );
    expect(all.equals(one["faces-00000.rgb"]!)).toBe(true);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 27 }), { maxLength: 60 }), async (indices) => {
        const right = Buffer.concat(indices.map((i) => all.subarray(i * FACE, (i + 1) * FACE)));
        expect((await facesOf(store, indices)).equals(right)).toBe(true);
        expect((await facesOf(sharded, Int32Array.from(indices))).equals(right)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it("is used as it is when it is intact, and made again with the same bytes when it is not", async () => {
    const place = join(at.path, "again");
    await pack(place);
    const before = await bytesOf(place);
    const { ino } = await stat(join(place, "faces-00000.rgb"));
    expect((await pack(place)).made).toBe(false);
    expect((await stat(join(place, "faces-00000.rgb"))).ino).toBe(ino);

    const damages: ((place: string) => Promise<unknown>)[] = [
      (at) => rm(join(at, "marker.json")),
      (at) => rm(join(at, "rows.arrow")),
      (at) => put(join(at, "marker.json"), before["marker.json"]!.toString().replace('"count": 28', '"count": 27')),
      async (at) => {
        // One bit, and the file's dates put back.
        const { atime, mtime } = await stat(join(at, "faces-00000.rgb"));
        await using handle = await open(join(at, "faces-00000.rgb"), "r+");
        await handle.write(Uint8Array.of(before["faces-00000.rgb"]![99]! ^ 1), 0, 1, 99);
        await utimes(join(at, "faces-00000.rgb"), atime, mtime);
      },
    ];
    for (const damage of damages) {
      await damage(place);
      await expect(openFaceStore(place)).rejects.toThrow("is not an intact face store");
      expect((await pack(place)).made).toBe(true);
      expect(await bytesOf(place)).toEqual(before);
    }
    expect((await readdir(at.path)).filter((name) => name === ".tmp")).toEqual([]);
  });

  it("records a picture that cannot be read, and lets the others keep their places", async () => {
    await using own = await folder();
    await afewClip(own.path, "data/001", "Ann", 4, {
      "00003": afewFrame(3, { landmarks: face(68, 3).map(([x, y]) => [x + 900, y]) }),
    });
    await afewClip(own.path, "data/002", "Bob", 2);
    await afewClip(own.path, "data/003", "Cy", 3, { "00001": afewFrame(1, { valence: null }) });
    await writeFile(join(own.path, "data/001/00001.png"), "not a picture");
    const png = await readFile(join(own.path, "data/002/00000.png"));
    for (const name of ["00000", "00001"])
      await writeFile(join(own.path, `data/002/${name}.png`), png.subarray(0, png.length / 2));
    const data = await readAfewVa(join(own.path, "data"));
    const packed = await pack(join(own.path, "store"), {}, data);
    expect(packed.skipped.map(({ where, reason }) => [where, reason])).toEqual([
      ["003/003.json, frame 00001", "its valence is not a number"],
      ["001, frame 1", expect.stringMatching(/00001\.png: cannot be read as a picture/)],
      ["001, frame 3", "its landmarks lie outside the picture"],
      ["002, frame 0", expect.stringMatching(/00000\.png: cannot be read as a picture/)],
      ["002, frame 1", expect.stringMatching(/00001\.png: cannot be read as a picture/)],
    ]);
    expect(packed.labelled).toBe(packed.count + packed.skipped.reduce((sum, { frames }) => sum + frames, 0));
    await using store = await openFaceStore(join(own.path, "store"));
    expect(store.skipped).toEqual(packed.skipped);
    expect([...store.clipOf]).toEqual([0, 0, 2, 2]);
    expect([...store.frameOf]).toEqual([0, 2, 0, 2]);
    const { pixels } = await slowFace(join(own.path, "data/003/00002.png"), face(68, 2), 1 / 8);
    expect((await facesOf(store, [3])).equals(pixels)).toBe(true);
    expect([...rowsOf(store, ["003", "002"])]).toEqual([2, 3]);
    expect([...rowsOf(store, ["002"])]).toEqual([]);
    expect(() => rowsOf(store, ["004"])).toThrow("has no clip 004");
  });

  it("is not put over other faces unless asked to, nor over other things at all", async () => {
    const place = join(at.path, "taken");
    await pack(place);
    const before = await bytesOf(place);
    const [first, ...rest] = dataset.clips;
    const frames = first!.frames.map((frame, i) => (i === 2 ? { ...frame, valence: 9 } : frame));
    const other = { ...dataset, clips: [{ ...first!, frames }, ...rest] };
    await expect(pack(place, {}, other)).rejects.toThrow("holds other faces: 28 of afew-va, side 20");
    await expect(pack(place, { side: 21 })).rejects.toThrow("holds other faces");
    expect(await bytesOf(place)).toEqual(before);
    expect((await pack(place, { replace: true }, other)).made).toBe(true);
    await using store = await openFaceStore(place);
    expect(store.valence[2]).toBe(9);

    await put(join(at.path, "mine/thesis.txt"), "years of work");
    await expect(pack(join(at.path, "mine"), { replace: true })).rejects.toThrow(
      "holds thesis.txt, which is no part of a",
    );
    await expect(pack(join(at.path, "mine/thesis.txt"))).rejects.toThrow("is not a folder");
    expect(await readFile(join(at.path, "mine/thesis.txt"), "utf8")).toBe("years of work");
  });

  it("sees that a picture was exchanged for one of the same size, and bears that one was touched", async () => {
    await using own = await folder();
    await afewClip(own.path, "data/001", "Ann", 2);
    const path = join(own.path, "data/001/00000.png");
    const paint = (background: string) =>
      sharp({ create: { width: 60, height: 48, channels: 3, background } })
        .png({ compressionLevel: 0 })
        .toFile(path);
    const { size } = await paint("red");
    const data = await readAfewVa(join(own.path, "data"));
    await pack(join(own.path, "store"), {}, data);
    await utimes(path, 1e9, 1e9);
    expect((await pack(join(own.path, "store"), {}, data)).made).toBe(false);
    expect((await paint("blue")).size).toBe(size);
    await expect(pack(join(own.path, "store"), {}, data)).rejects.toThrow("holds other faces");
  });

  it("leaves nothing behind on abort or failure, and no file open", async () => {
    await using own = await folder();
    const fds = async (): Promise<number> => (await readdir("/proc/self/fd").catch(() => [])).length;
    await pack(join(own.path, "warm"));
    const before = await fds();
    // Notebooks of digests may stay: they are no output.
    const seen = async () => (await readdir(own.path)).filter((name) => !name.endsWith(".jsonl")).sort();
    const names = await seen();
    const stop = new AbortController();
    const progress = (done: number): void => {
      if (done === 9) stop.abort(new Error("enough"));
    };
    await expect(pack(join(own.path, "aborted"), { signal: stop.signal, progress })).rejects.toThrow("enough");
    const broken = (): never => {
      throw new TypeError("a bug");
    };
    await expect(pack(join(own.path, "failed"), { progress: broken })).rejects.toThrow("a bug");
    const blind = {
      ...dataset,
      clips: dataset.clips.map((clip) => ({
        ...clip,
        media: { ...clip.media, paths: clip.frames.map(() => "/none.png") } as never,
      })),
    };
    await expect(pack(join(own.path, "blind"), {}, blind)).rejects.toThrow(
      "no face could be cut out. 001, frame 0: /none.png",
    );
    await expect(pack(join(own.path, "zero"), { side: 0 })).rejects.toThrow("cannot be cut to 0 × 0");
    expect(await seen()).toEqual(names);
    expect(names).toEqual(["warm"]);
    expect(await fds()).toBe(before);
  });

  it("tells how far it is", async () => {
    const seen: number[] = [];
    await pack(join(at.path, "progress"), { progress: (done, total) => seen.push(done, total) });
    expect(seen).toEqual(Array.from({ length: 28 }, (_, i) => [i + 1, 28]).flat());
  });

  it("refuses wrong reads in words, and any after it was closed", async () => {
    const place = join(at.path, "reads");
    await pack(place);
    const store = await openFaceStore(place);
    await expect(store.read([28], new Uint8Array(FACE))).rejects.toThrow("face 28 of 28");
    await expect(store.read([-1], new Uint8Array(FACE))).rejects.toThrow(RangeError);
    await expect(store.read([0.5], new Uint8Array(FACE))).rejects.toThrow(RangeError);
    await expect(store.read([0, 1], new Uint8Array(2 * FACE - 1))).rejects.toThrow("2 faces of 1200 bytes do not fit");
    await store.read([], new Uint8Array(0));
    const bigger = Buffer.alloc(FACE + 5, 9);
    await store.read([3], bigger);
    expect([...bigger.subarray(FACE)]).toEqual([9, 9, 9, 9, 9]);

    const late = facesOf(store, [1, 0]);
    await store.dispose();
    await store.dispose();
    expect(await late).toHaveLength(2 * FACE);
    await expect(store.read([0], new Uint8Array(FACE))).rejects.toThrow("is closed");

    await using short = await openFaceStore(place);
    await using handle = await open(join(place, "faces-00000.rgb"), "r+");
    await handle.truncate(10 * FACE + 3);
    await short.read([9], new Uint8Array(FACE));
    await expect(short.read([10], new Uint8Array(FACE))).rejects.toThrow(PipeError);
    await expect(openFaceStore(join(at.path, "nowhere"))).rejects.toThrow("there is no folder");
  });
});

describe("a face store of videos", () => {
  /** Number of the picture that a face was cut from, by its grey level. */
  const shownIn = (pixels: Buffer, face: number): number => Math.floor((pixels[face * FACE]! - 17) / 5);

  it("has the picture that each label's time shows, and says which labels had none", async () => {
    await using own = await folder();
    const data = join(own.path, "data");
    const [full, slow, short] = [stem(1), stem(2), stem(3)];
    const ids = Array.from({ length: 10 }, (_, i) => i);
    await sewaSegment(data, full, { ids, times: ids.map((i) => i * 20_000) });
    await sewaSegment(data, slow, { ids, times: [0, 40_000, 100_000, 160_000] });
    await sewaSegment(data, short, { ids, times: [0, 20_000, 40_000] });
    const read = await readSewa(data);
    const packed = await pack(join(own.path, "store"), {}, read);
    await using store = await openFaceStore(join(own.path, "store"));
    const pixels = await facesOf(
      store,
      Array.from({ length: store.count }, (_, i) => i),
    );
    const seen = Array.from({ length: store.count }, (_, i) => [
      store.clipOf[i],
      store.frameOf[i],
      store.pts[i],
      shownIn(pixels, i),
    ]);
    expect(seen).toEqual([
      ...ids.map((i) => [0, i, i * 20_000, i]),
      ...[0, 0, 1, 1, 1, 2, 2, 2, 3, 3].map((number, i) => [1, i, [0, 40_000, 100_000, 160_000][number], number]),
      ...[0, 1, 2].map((i) => [2, i, i * 20_000, i]),
    ]);
    expect(packed.skipped).toEqual(
      ids
        .slice(3)
        .map((id) => ({ where: `${short}, frame ${id}`, reason: "the video has no picture at its time", frames: 1 })),
    );
    expect(packed.labelled).toBe(30);
    expect(store.points).toBe(49);
    // 49 points lack the jaw: the box grows by 1/2.5.
    await sharp(Buffer.from(grey(4).data), { raw: { width: 60, height: 48, channels: 3 } })
      .png()
      .toFile(join(own.path, "4.png"));
    expect([...store.box.subarray(16, 20)]).toEqual(
      (await slowFace(join(own.path, "4.png"), face(49, 4), 1 / 2.5)).box,
    );

    await pack(join(own.path, "alone"), { parallel: 1 }, read);
    expect(await bytesOf(join(own.path, "alone"))).toEqual(await bytesOf(join(own.path, "store")));
  });

  it("goes by number where there is one label a picture", async () => {
    await using own = await folder();
    await sewaSegment(join(own.path, "data"), stem(1), { ids: [1, 2, 3], times: [0, 500_000, 510_000] });
    await pack(join(own.path, "store"), {}, await readSewa(join(own.path, "data"), { rate: "video" }));
    await using store = await openFaceStore(join(own.path, "store"));
    const pixels = await facesOf(store, [0, 1, 2]);
    expect([0, 1, 2].map((i) => [store.frameOf[i], store.pts[i], shownIn(pixels, i)])).toEqual([
      [1, 0, 0],
      [2, 500_000, 1],
      [3, 510_000, 2],
    ]);
  });

  it("records a video that cannot be opened", async () => {
    await using own = await folder();
    const data = join(own.path, "data");
    const ids = Array.from({ length: 6 }, (_, i) => i);
    await sewaSegment(data, stem(1), { ids, times: ids.map((i) => i * 20_000) });
    await sewaSegment(data, stem(2), { ids });
    await put(join(data, stem(2), `${stem(2)}.mp4`), "no video");
    const packed = await pack(join(own.path, "store"), {}, await readSewa(data));
    expect([packed.count, packed.labelled]).toEqual([6, 12]);
    expect(packed.skipped).toHaveLength(6);
    for (const { where, reason } of packed.skipped) {
      expect(where).toContain(stem(2));
      expect(reason).toContain(".mp4");
    }
  });

  it.skipIf(!hasFfmpeg)(
    "reads SEWA's own Xvid in avi, and says of what a cut-off file lacks that it was cut off",
    async () => {
      await using own = await folder();
      const data = join(own.path, "data");
      const ids = Array.from({ length: 50 }, (_, i) => i);
      for (const name of [stem(1), stem(2)]) {
        await sewaSegment(data, name, { ids });
        const source = "color=black:size=60x48:rate=25,geq=lum='20+8*N':cb=128:cr=128";
        const args = [
          "-f",
          "lavfi",
          "-i",
          source,
          "-frames:v",
          "25",
          "-c:v",
          "mpeg4",
          "-vtag",
          "xvid",
          "-qscale:v",
          "1",
        ];
        await promisify(execFile)("ffmpeg", ["-v", "error", ...args, join(data, name, `${name}.avi`)]);
      }
      const cut = join(data, stem(2), `${stem(2)}.avi`);
      await truncate(cut, Math.round((await stat(cut)).size * 0.8));
      const packed = await pack(join(own.path, "store"), {}, await readSewa(data));
      await using store = await openFaceStore(join(own.path, "store"));
      const whole = [...rowsOf(store, [stem(1)])];
      expect(whole.map((row) => store.frameOf[row])).toEqual(ids);
      expect(whole.map((row) => store.pts[row]! - store.pts[0]!)).toEqual(ids.map((id) => Math.floor(id / 2) * 40_000));
      const pixels = await facesOf(store, whole);
      const levels = whole.map((i) => pixels[i * FACE]!);
      for (let i = 2; i < 50; i += 2) {
        expect(levels[i]).toBe(levels[i + 1]);
        expect(levels[i]).toBeGreaterThan(levels[i - 1]!);
      }

      const rest = packed.skipped;
      expect(rest.length).toBeGreaterThan(0);
      expect(rest.length).toBeLessThan(50);
      expect(packed.labelled).toBe(packed.count + rest.length);
      for (const { where, reason } of rest) {
        expect(where).toContain(stem(2));
        expect(reason).toMatch(/^the video has no picture at its time, and it is (truncated|damaged): ./);
      }
    },
  );

  it("obeys an abort in the middle of a video", async () => {
    await using own = await folder();
    const data = join(own.path, "data");
    const ids = Array.from({ length: 40 }, (_, i) => i);
    await sewaSegment(data, stem(1), { ids, times: ids.map((i) => i * 20_000) });
    const stop = new AbortController();
    const progress = (done: number): void => {
      if (done === 3) stop.abort(new Error("enough"));
    };
    const read = await readSewa(data);
    await expect(pack(join(own.path, "store"), { signal: stop.signal, progress }, read)).rejects.toThrow("enough");
    expect((await readdir(own.path)).filter((name) => !name.endsWith(".jsonl"))).toEqual(["data"]);
  });
});
