import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { FrameCount } from "../../src/media/origin.ts";
import { temporary } from "../pipelines/temporary.ts";
import { decoders, draw, hasFfmpeg, hear } from "./clips.ts";

const SOURCE = "testsrc2=size=64x48:rate=25:duration=2";
const x264 = ["-c:v", "libx264", "-g", "10", "-bf", "2", "-pix_fmt", "yuv420p"];

describe.skipIf(!hasFfmpeg)("a part of a file", () => {
  /** Pts of the first frame, microseconds; undefined where the muxer decides. */
  const CLIPS: readonly [what: string, name: string, options: readonly string[], firstPts?: number][] = [
    ["MP4", "a.mp4", x264, 0],
    ["MKV that begins at one second", "b.mkv", [...x264, "-output_ts_offset", "1"], 1_000_000],
    ["MPEG-TS", "c.ts", x264, 1_480_000],
    ["FLV with B-frames", "d.flv", x264, 80_000],
    ["leading pictures behind key frames", "e.mkv", [...x264, "-x264-params", "open-gop=1:bframes=3:b-adapt=0"], 0],
    ["a field in each packet, perhaps", "f.ts", ["-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-g", "10"]],
    ["packed B-frames", "g.avi", ["-c:v", "mpeg4", "-bf", "2", "-g", "10"]],
    ["VP8 with hidden frames", "h.webm", ["-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "10", "-g", "10"]],
    ["Theora", "i.ogv", ["-c:v", "libtheora", "-g", "10"]],
    ["MPEG program stream", "j.mpg", ["-c:v", "mpeg1video", "-g", "10"]],
  ];
  it.each(CLIPS)("%s: frames have the file's numbers, and know its first frame", async (_, name, options, firstPts) => {
    const path = draw(await temporary(), name, SOURCE, ...options);
    for (const decoder of decoders) {
      const all = (await hear(path, { decoder })).frames;
      expect(all.map(({ index }) => index)).toEqual(all.map((_, i) => i));
      expect(new Set(all.map((frame) => frame.firstPts))).toEqual(new Set([firstPts ?? all[0]!.pts]));
      expect(all[0]!.pts).toBe(firstPts ?? all[0]!.pts);
      for (const from of [3, 37]) {
        const part = await hear(path, { decoder, start: all[from]!.pts / 1e6 });
        expect(part.frames, `${decoder}, from frame ${from}`).toEqual(all.slice(from));
      }
    }
  });

  it("a cut without decoding: frames that the edit list hides are none", async () => {
    const folder = await temporary();
    const whole = draw(folder, "whole.mp4", SOURCE, ...x264);
    const cut = join(folder, "cut.mp4");
    execFileSync("ffmpeg", ["-v", "error", "-ss", "0.5", "-i", whole, "-c", "copy", cut]);
    for (const decoder of decoders) {
      const { frames: all, ending } = await hear(cut, { decoder });
      expect(ending.verdict, decoder).toBe("complete");
      expect(all[0]).toMatchObject({ index: 0, firstPts: all[0]!.pts });
      const part = await hear(cut, { decoder, start: all[17]!.pts / 1e6 });
      expect(part.frames, decoder).toEqual(all.slice(17));
    }
  });
});

test("packets are counted where each has a time of its own, and in no other stream", () => {
  const reordered = [0, 120, 40, 80, 240, 160, 200];
  const count = new FrameCount(reordered);
  expect(count.between(40, 200)).toBe(4);
  expect(count.agrees([0, 40, 80, 120])).toBe(true);
  // Two packets a frame, as fields are.
  expect(count.agrees([0, 80, 160])).toBe(false);
  expect(count.agrees([])).toBe(false);
  expect(new FrameCount([]).agrees([])).toBe(false);
  expect(new FrameCount([7]).agrees([7])).toBe(true);
  expect(new FrameCount([0, null, 80]).agrees([0])).toBe(false);
  expect(new FrameCount([0, 40, 40]).agrees([0])).toBe(false);
  const second = Array.from({ length: 100 }, (_, i) => 1000 + i);
  expect(new FrameCount([...second, ...second.map((pts) => pts - 500)]).agrees([1000, 1001])).toBe(false);
});
