import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { PipeError } from "../../src/errors.ts";
import { probe } from "../../src/media/index.ts";
import { LibavThread } from "../../src/media/libav-thread.ts";
import { hasMedia, media } from "../media.ts";
import { decoders, draw, hasFfmpeg, hear } from "./clips.ts";
import { belongings, expectNothingLeft } from "./leaks.ts";

const folder = mkdtempSync(join(tmpdir(), "hostile-"));
process.env.TMPDIR = join(folder, "temporary");
mkdirSync(process.env.TMPDIR);
const sample = join(import.meta.dirname, "../../data/samples/one-face.mp4");
const clip = () => readFileSync(sample);
const put = (name: string, data: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, data);
  return path;
};

// What the first worker brings along (from sources: a compiler) stays.
beforeAll(() => probe(sample).then(() => {}));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

/** Both decode() and probe() refuse the file with a PipeError of these words, and leave nothing behind. */
async function expectRefused(path: string, words: RegExp, options: object = {}): Promise<void> {
  for (const decoder of decoders) {
    const before = belongings();
    for (const attempt of [hear, probe]) {
      const error = await attempt(path, { ...options, decoder }).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error, `${decoder} ${path}`).toBeInstanceOf(PipeError);
      expect((error as PipeError).message, decoder).toMatch(words);
      expect((error as PipeError).message, decoder).toContain(path);
    }
    await expectNothingLeft(before);
  }
}

describe("what is no video is refused", () => {
  it("absent, empty, text, random bytes", async () => {
    await expectRefused(join(folder, "absent.mp4"), /there is no such file/);
    await expectRefused(put("empty.mp4", ""), /is empty/);
    await expectRefused(put("text.mp4", "This is a text.\n".repeat(500)), /cannot be opened as a video/);
    const noise = Uint8Array.from({ length: 20_000 }, (_, k) => (k * k * 31 + k * 7) >> 3);
    await expectRefused(put("noise.mkv", noise), /cannot be opened as a video/);
  });

  it("an MP4 whose index was never written, and a photo, in those words", async () => {
    const whole = clip();
    // The sample's index follows its pictures.
    const moov = whole.indexOf("moov") - 4;
    expect(moov).toBeGreaterThan(whole.indexOf("mdat"));
    const cut = /it is cut off: its index \(moov\) was never written/;
    await expectRefused(put("cut.mp4", whole.subarray(0, moov >> 1)), cut);
    await expectRefused(put("just-cut.mov", whole.subarray(0, moov)), cut);
    // A recorder that lost power has not written how long its pictures are.
    const open = Buffer.from(whole.subarray(0, moov));
    open.writeUInt32BE(0, open.indexOf("mdat") - 4);
    await expectRefused(put("lost-power.mp4", open), cut);
    const pixels = { create: { width: 16, height: 16, channels: 3, background: "red" } } as const;
    for (const [format, name] of [
      ["jpeg", "JPEG"],
      ["png", "PNG"],
      ["gif", "GIF"],
      ["webp", "WebP"],
      ["tiff", "TIFF"],
    ] as const) {
      const photo = await sharp(pixels).toFormat(format).toBuffer();
      await expectRefused(put(`photo-${format}.mp4`, photo), new RegExp(`it is a photo \\(${name}\\)`));
    }
  });

  it("a folder, a FIFO, a socket, a device: without waiting for them", async () => {
    mkdirSync(join(folder, "folder.mp4"));
    await expectRefused(join(folder, "folder.mp4"), /is a folder, not a regular file/);
    execFileSync("mkfifo", [join(folder, "fifo.mp4")]);
    await expectRefused(join(folder, "fifo.mp4"), /is a named pipe/);
    await expectRefused("/dev/zero", /is a device/);
    const server = createServer().listen(join(folder, "socket.mp4"));
    await new Promise((resolve) => server.once("listening", resolve));
    await expectRefused(join(folder, "socket.mp4"), /is a socket/);
    await new Promise((resolve) => server.close(resolve));
  });

  it.skipIf(!hasFfmpeg)("sound without a picture, and sound with a cover picture", async () => {
    const sound = draw(folder, "sound.mp4", "sine=duration=1");
    await expectRefused(sound, /there is no video in it, only other streams/);
    const cover = draw(folder, "cover.png", "color=red:size=16x16", "-frames:v", "1");
    const song = join(folder, "song.m4a");
    const mux = [
      "-map",
      "0",
      "-map",
      "1",
      "-c:a",
      "copy",
      "-c:v",
      "png",
      "-disposition:v",
      "attached_pic",
      "-f",
      "mp4",
    ];
    execFileSync("ffmpeg", ["-nostdin", "-v", "error", "-i", sound, "-i", cover, ...mux, song]);
    await expectRefused(song, /there is no video in it/);
  });

  it("a header that announces 16384 × 16384 pixels: before anything is allocated", async () => {
    const bytes = clip();
    // avc1: width and height are 24 bytes behind the entry's type (ISO 14496-12, VisualSampleEntry).
    const at = bytes.indexOf("avc1", bytes.indexOf("stsd")) + 28;
    bytes.writeUInt16BE(16384, at);
    bytes.writeUInt16BE(16384, at + 2);
    const path = put("vast.mp4", bytes);
    for (const attempt of [hear, probe])
      await expect(attempt(path, { decoder: "libav" })).rejects.toThrow(/16384 × 16384 pixels; the limit is/);
    // ffmpeg looks at the codec's own header first, which says the truth.
    if (hasFfmpeg)
      for (const { width } of (await hear(path, { decoder: "ffmpeg" })).frames) expect(width).toBeLessThan(1000);
  });

  it("frames above a limit of one's own", async () => {
    await expectRefused(sample, /the limit is 1000 pixels/, { maxPixels: 1000 });
  });
});

describe("a playlist named .mp4", () => {
  let server: Server;
  let connections = 0;
  const sockets = new Set<Socket>();
  beforeAll(async () => {
    server = createServer((socket) => {
      connections++;
      sockets.add(socket);
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
  });
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it("is refused: nothing it names is opened, no connection is made", async () => {
    const { port } = server.address() as { port: number };
    const secret = put("secret.ts", clip());
    const url = `http://127.0.0.1:${port}/x.ts`;
    const segments = (target: string) => `#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:2.0,\n${target}\n#EXT-X-ENDLIST\n`;
    const lists = {
      "hls-file.mp4": segments(secret),
      "hls-url.mp4": segments(url),
      "concat.mp4": `ffconcat version 1.0\nfile '${secret}'\n`,
      "dash.mp4": `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>${url}</BaseURL></MPD>`,
      "sdp.mp4": `v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video ${port} RTP/AVP 96\na=rtpmap:96 H264/90000\n`,
    };
    for (const [name, text] of Object.entries(lists)) {
      const { atimeMs } = statSync(secret);
      await expectRefused(put(name, text), /cannot be opened as a video/);
      expect(statSync(secret).atimeMs).toBe(atimeMs);
    }
    expect(connections).toBe(0);
  });
});

describe("names are only names", () => {
  it.each(["with space.mp4", 'it\'s "quoted".mp4', "new\nline.mp4", "-i.mp4", "%03d.mp4", "concat:a|b.mp4", "ü漢.mp4"])(
    "%j",
    async (name) => {
      const path = put(name, clip());
      for (const decoder of decoders) {
        const { frames, ending } = await hear(path, { decoder, end: 0.3 });
        expect(frames.length).toBeGreaterThan(3);
        expect(ending.verdict).toBe("complete");
      }
      rmSync(path);
    },
  );

  it("a relative path, and a symbolic link", async () => {
    symlinkSync(sample, join(folder, "link.mp4"));
    for (const decoder of decoders)
      for (const path of [join(folder, "link.mp4"), "data/samples/one-face.mp4"])
        expect((await hear(path, { decoder, end: 0.3 })).frames.length).toBeGreaterThan(3);
  });
});

describe("a file cut short is never taken for whole", () => {
  const originals: [name: string, bytes: () => Buffer][] = [["sample.mp4", clip]];
  if (hasMedia)
    originals.push(
      ["face.mp4", () => readFileSync(media("videos", "pyfeat_single_face.mp4"))],
      ["webm.webm", () => readFileSync(media("weird", "moviepy_no_duration.webm"))],
    );
  if (hasFfmpeg) {
    const source = "testsrc2=size=320x240:rate=25:duration=3";
    const x264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12"];
    const drawn = (name: string, ...options: string[]): [string, () => Buffer] => [
      name,
      () => readFileSync(draw(folder, `whole-${name}`, source, ...options)),
    ];
    originals.push(
      drawn("fast.mp4", ...x264, "-movflags", "+faststart"),
      drawn("fragments.mp4", ...x264, "-movflags", "+frag_keyframe+empty_moov"),
      drawn("matroska.mkv", ...x264),
      drawn("riff.avi", "-c:v", "mpeg4", "-bf", "0"),
    );
  }

  it.each(originals)("%s at 10, 50 and 90 %", async (name, bytes) => {
    const whole = bytes();
    const first = await hear(put(`full-${name}`, whole), {});
    expect(first.ending.verdict).toBe("complete");
    // A live stream's container promises no length, so a clean cut between two clusters cannot be told from an end.
    const silent = name === "webm.webm";
    for (const percent of [10, 50, 90]) {
      const path = put(`cut-${name}`, whole.subarray(0, Math.floor((whole.length * percent) / 100)));
      for (const decoder of decoders) {
        const before = belongings();
        const heard = await hear(path, { decoder }).catch((error: unknown) => error as Error);
        if (heard instanceof Error) expect(heard, `${decoder} ${percent} %`).toBeInstanceOf(PipeError);
        else {
          const { counts, verdict, detail } = heard.ending;
          if (!silent) {
            expect(verdict, `${decoder} ${percent} %`).toBe("truncated");
            expect(detail).toMatch(/end|announced/);
          }
          expect(counts.decoded).toBe(heard.frames.length);
          expect(counts.demuxed).toBe(counts.decoded + counts.failed);
          expect(counts.decoded).toBeLessThan(first.frames.length);
          // The last pictures may lack one between them that came later in the file.
          const known = new Set(first.frames.map(({ pts }) => pts));
          expect(heard.frames.filter(({ pts }) => !known.has(pts))).toEqual([]);
        }
        await expectNothingLeft(before);
      }
    }
  });
});

describe("limits in time", () => {
  it("a decoder that gives no sign of life is left", async () => {
    const before = belongings();
    const deaf = LibavThread.take();
    vi.spyOn(deaf, "begin").mockImplementation(() => {});
    vi.spyOn(LibavThread, "take").mockReturnValueOnce(deaf);
    await expect(hear(sample, { decoder: "libav", stall: 0.1 })).rejects.toThrow(/no progress for 0.1 s/);
    await expectNothingLeft(before);
  });

  it.skipIf(!hasFfmpeg)("an ffmpeg that hangs is killed", async () => {
    const script = put("ffmpeg", '#!/bin/sh\ncase "$*" in *tee*) exec sleep 600;; *) exec ffmpeg "$@";; esac\n');
    chmodSync(script, 0o755);
    vi.stubEnv("FFMPEG_PATH", script);
    vi.stubEnv("FFPROBE_PATH", execFileSync("which", ["ffprobe"], { encoding: "utf8" }).trim());
    const before = belongings();
    await expect(hear(sample, { decoder: "ffmpeg", stall: 0.5 })).rejects.toThrow(/no progress for 0.5 s/);
    await expect(hear(sample, { decoder: "ffmpeg", timeout: 0.7 })).rejects.toThrow(/longer than 0.7 s/);
    await expectNothingLeft(before);
  });

  it("an ffmpeg that is absent is said to be", async () => {
    vi.stubEnv("FFMPEG_PATH", join(folder, "nothing"));
    await expect(hear(sample, { decoder: "ffmpeg" })).rejects.toThrow(/FFMPEG_PATH names no executable/);
    vi.stubEnv("FFMPEG_PATH", "");
    vi.stubEnv("PATH", folder.concat("/temporary"));
    await expect(hear(sample, { decoder: "ffmpeg" })).rejects.toThrow(/no ffmpeg on PATH/);
  });
});
