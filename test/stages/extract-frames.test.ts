import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestFile } from "../../src/digest.ts";
import { PipeError } from "../../src/errors.ts";
import { decode } from "../../src/media/index.ts";
import type { Frame, Refused, Source } from "../../src/records.ts";
import { looseContext } from "../../src/stages/context.ts";
import extractFrames from "../../src/stages/extract-frames.ts";
import { toStream } from "../../src/stages/stream.ts";
import { draw, hasFfmpeg } from "../media/clips.ts";
import { hasMedia, media } from "../media.ts";

const sample = join(import.meta.dirname, "../../data/samples/one-face.mp4");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "extract-frames-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function source(path: string): Promise<Source> {
  return { path, name: "one", bytes: readFileSync(path).length, digest: await digestFile(path) };
}

async function run(path: string, options: Parameters<typeof extractFrames>[0]) {
  const controller = new AbortController();
  await using context = looseContext({ source: await source(path), signal: controller.signal, note: () => {} });
  const frames: Frame[] = [];
  for await (const frame of toStream(extractFrames(options), context)) frames.push(frame as Frame);
  return { frames, counts: context.ledger.counts, ending: context.ending, facts: context.facts };
}

describe("extract-frames", () => {
  it("gives the decoder's frames and writes the ledger and the verdict", async () => {
    const { frames, counts, ending } = await run(sample, { fps: 5 });
    const expected: Frame[] = [];
    for await (const frame of decode(sample, { fps: 5 })) expected.push({ kind: "frame", ...frame });
    // Bytes are compared as a whole: one by one takes longer than all else here.
    const brief = ({ kind, index, pts, image: { width, height, data } }: Frame) => [
      kind,
      index,
      pts,
      width,
      height,
      data.length,
    ];
    expect(frames.map(brief)).toEqual(expected.map(brief));
    for (const [k, { image }] of frames.entries()) expect(Buffer.compare(image.data, expected[k]!.image.data)).toBe(0);
    expect(counts).toMatchObject({ failed: 0, sampled: expected.length });
    expect(counts.demuxed).toBe(counts.decoded);
    expect(counts.skipped).toBe(counts.decoded - expected.length);
    expect(counts.skipped).toBeGreaterThan(0);
    expect(ending).toMatchObject({ verdict: "complete" });
  });

  it("says of a large file how far it is, from its duration or the part that is asked for, and nothing of a small one", async () => {
    const told = async (bytes: number, options: Parameters<typeof extractFrames>[0]) => {
      const said: [number, string][] = [];
      await using loose = looseContext({ source: { ...(await source(sample)), bytes }, note: () => {} });
      const standing = (share: number, words: string) => said.push([share, words]);
      const context = Object.create(loose, { standing: { value: standing } }) as typeof loose;
      for await (const _ of toStream(extractFrames(options), context)) if (said.length > 0) break;
      return said;
    };
    // The sample lasts four seconds, 25 frames in each.
    expect(await told(8e6, {})).toEqual([[0, "0 % of 0:04"]]);
    const [[share, words]] = (await told(8e6, { start: 1, end: 3 })) as [[number, string]];
    expect([share, words]).toEqual([0, "0 % of 0:02"]);
    expect(await told(1e6, {})).toEqual([]);
  });

  it.skipIf(!hasFfmpeg)(
    "keeps where the file's clock begins, also of a part, and nothing where that is 0",
    async () => {
      const path = draw(folder, "late.mkv", "testsrc2=size=64x48:rate=25:duration=1", "-output_ts_offset", "1");
      expect((await run(path, {})).facts).toEqual({ firstPts: 1_000_000 });
      const part = await run(path, { start: 1.4, end: 1.5 });
      expect(part.facts).toEqual({ firstPts: 1_000_000, part: { start: 1.4, end: 1.5 } });
      expect(part.frames.map(({ index, pts }) => [index, pts])).toEqual([10, 11, 12].map((i) => [i, 1e6 + i * 40_000]));
      expect((await run(sample, {})).facts).toEqual({});
    },
  );

  it.skipIf(!hasMedia)("says damage and how much of it", async () => {
    const { frames, counts, ending } = await run(media("weird", "decord_corrupted.mp4"), {});
    expect(frames).toHaveLength(28);
    expect(counts).toMatchObject({ demuxed: 50, decoded: 28, failed: 22, sampled: 28, skipped: 0 });
    expect(ending).toMatchObject({ verdict: "damaged", detail: expect.stringMatching(/22 of 50/) });
  });

  it("fails with a PipeError on what is no video, and on a range that is none", async () => {
    const text = join(folder, "text.mp4");
    writeFileSync(text, "no video");
    await expect(run(text, {})).rejects.toThrow(PipeError);
    await expect(run(sample, { start: 2, end: 1 })).rejects.toThrow(/not after start/);
  });

  it("lists sources with their digests, and what it may not read", async () => {
    const input = join(folder, "in");
    mkdirSync(join(input, "sub"), { recursive: true });
    copyFileSync(sample, join(input, "sub", "a.mp4"));
    writeFileSync(join(input, "b.mp4"), "b");
    const options = extractFrames.options.parse({ input: [input] });
    const listed: (Source | Refused)[] = [];
    const digest = (path: string) =>
      path.endsWith("b.mp4") ? Promise.reject(new PipeError("cannot be read")) : digestFile(path);
    for await (const one of extractFrames.sources!(options, {
      signal: new AbortController().signal,
      digest,
      note() {},
    }))
      listed.push(one);
    expect(listed).toEqual([
      { path: join(input, "b.mp4"), name: "b.mp4", refused: "cannot be read" },
      { ...(await source(sample)), path: join(input, "sub", "a.mp4"), name: "sub/a.mp4" },
    ]);
  });
});
