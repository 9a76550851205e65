import { rename, rm } from "node:fs/promises";
import {
  Codec,
  CodecContext,
  FFmpegError,
  FormatContext,
  Frame,
  Log,
  Packet,
  Rational,
  SoftwareScaleContext,
  type Stream,
} from "node-av";
import {
  AV_CODEC_FLAG_BITEXACT,
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_CODEC_ID_H264,
  AV_LOG_ERROR,
  AV_PIX_FMT_RGB24,
  AV_PIX_FMT_YUV420P,
  AVCOL_RANGE_MPEG,
  AVCOL_SPC_SMPTE170M,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  AVFMT_FLAG_BITEXACT,
  type AVPixelFormat,
  FF_ENCODER_LIBX264,
  SWS_ACCURATE_RND,
  SWS_BICUBIC,
  SWS_BITEXACT,
  SWS_FULL_CHR_H_INP,
  type SwsFlags,
} from "node-av/constants";
import { PipeError } from "../../errors.ts";
import type { Image } from "../../records.ts";

export interface EncodeOptions {
  /** Pixels, even numbers. */
  readonly width: number;
  readonly height: number;
  /** x264's constant rate factor: 0 lossless … 51 worst. */
  readonly quality?: number;
  /** x264's preset. */
  readonly preset?: string;
}

/** A picture and its time on the container's clock: integer microseconds, ascending. */
export interface TimedImage {
  readonly pts: number;
  readonly image: Image;
}

/**
 * Writes the frames as H.264 in an mp4 whose pts are exactly theirs, and whose bytes depend on nothing else. The file
 * appears whole or not at all. Resolves to the number of frames; throws a PipeError when the encoder is not there or
 * refuses the frames.
 */
export async function encodeMp4(
  path: string,
  frames: AsyncIterable<TimedImage>,
  options: EncodeOptions,
): Promise<number> {
  const part = `${path}.${process.pid}.part`;
  try {
    const encoder = await openEncoder(part, options);
    let count = 0;
    try {
      for await (const frame of frames) {
        await encoder.write(frame);
        count++;
      }
      await encoder.finish();
    } finally {
      await encoder.close();
    }
    await rename(part, path);
    return count;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/**
 * Without `cpu-independent` x264's fastest routines for the macroblock tree give bytes that differ from run to run.
 * `log=1` keeps its statistics off stderr.
 */
const X264 = "cpu-independent=1:log=1";

interface Encoder {
  write(frame: TimedImage): Promise<void>;
  finish(): Promise<void>;
  close(): Promise<void>;
}

/** Ticks of one microsecond hold any pts exactly. */
const TICK = new Rational(1, 1_000_000);

/** How long the last frame is shown, and any frame whose follower is not known yet. */
const LAST_DURATION = 40_000n;

async function openEncoder(
  path: string,
  { width, height, quality = 24, preset = "medium" }: EncodeOptions,
): Promise<Encoder> {
  const codec = Codec.findEncoderByName(FF_ENCODER_LIBX264);
  if (codec === null)
    throw new PipeError("The bundled FFmpeg has no H.264 encoder (libx264).", {
      hint: "Install node-av as package-lock.json names it: npm ci",
    });
  const output = new FormatContext();
  const context = new CodecContext();
  const scaler = new SoftwareScaleContext();
  const packet = new Packet();
  const rgb = new Frame();
  const close = async () => {
    packet.free();
    rgb.free();
    scaler.freeContext();
    context.freeContext();
    await output.closeOutput();
    output.freeContext();
  };

  try {
    packet.alloc();
    shape(rgb, width, height, AV_PIX_FMT_RGB24);
    check(output.allocOutputContext2(null, "mp4", path), "choose the container");
    context.allocContext3(codec);
    context.codecId = AV_CODEC_ID_H264;
    context.width = width;
    context.height = height;
    context.pixelFormat = AV_PIX_FMT_YUV420P;
    context.colorSpace = AVCOL_SPC_SMPTE170M;
    context.colorRange = AVCOL_RANGE_MPEG;
    context.timeBase = TICK;
    context.framerate = new Rational(25, 1);
    context.gopSize = 50;
    // More threads would make x264's choices, and so the bytes, depend on the machine.
    context.threadCount = 1;
    context.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER, AV_CODEC_FLAG_BITEXACT);
    openQuietly(context, codec, { preset, crf: String(quality), "x264-params": X264 });
    const stream = output.newStream(codec);
    stream.timeBase = TICK;
    check(stream.codecpar.fromContext(context), "describe the stream");
    output.setFlags(AVFMT_FLAG_BITEXACT);
    check(await output.openOutput(), `create ${path}`);
    check(await output.writeHeader(), "write the header");
    scaler.getContext(
      width,
      height,
      AV_PIX_FMT_RGB24,
      width,
      height,
      AV_PIX_FMT_YUV420P,
      (SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INP) as SwsFlags,
    );

    return {
      close,
      async write({ pts, image }) {
        if (image.width !== width || image.height !== height)
          throw new PipeError(`A frame of ${image.width}×${image.height} came into a video of ${width}×${height}.`);
        const yuv = new Frame();
        try {
          shape(yuv, width, height, AV_PIX_FMT_YUV420P);
          fill(rgb, image);
          check(await scaler.scaleFrame(yuv, rgb), "convert a frame");
          yuv.pts = BigInt(pts);
          yuv.colorSpace = AVCOL_SPC_SMPTE170M;
          yuv.colorRange = AVCOL_RANGE_MPEG;
          check(await context.sendFrame(yuv), "encode a frame");
        } finally {
          yuv.free();
        }
        await drain(context, output, stream, packet);
      },
      async finish() {
        check(await context.sendFrame(null), "finish encoding");
        await drain(context, output, stream, packet);
        check(await output.writeTrailer(), "finish the file");
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** x264 announces itself on stderr when it opens; libav's log level is the process's, so it is put back at once. */
function openQuietly(context: CodecContext, codec: Codec, options: Record<string, string>): void {
  const level = Log.getLevel();
  Log.setLevel(AV_LOG_ERROR);
  try {
    for (const [name, value] of Object.entries(options))
      check(context.setOption(name, value), `set ${name} to ${value}`);
    check(context.open2Sync(codec), "open the encoder");
  } finally {
    Log.setLevel(level);
  }
}

async function drain(context: CodecContext, output: FormatContext, stream: Stream, packet: Packet): Promise<void> {
  for (;;) {
    const code = await context.receivePacket(packet);
    if (code === AVERROR_EAGAIN || code === AVERROR_EOF) return;
    check(code, "take an encoded frame");
    packet.streamIndex = stream.index;
    if (packet.duration === 0n) packet.duration = LAST_DURATION;
    packet.rescaleTs(TICK, stream.timeBase);
    check(await output.interleavedWriteFrame(packet), "write a frame");
  }
}

function shape(frame: Frame, width: number, height: number, format: AVPixelFormat): void {
  frame.alloc();
  frame.width = width;
  frame.height = height;
  frame.format = format;
  check(frame.allocBuffer(), "hold a frame");
}

/** `Frame.fromVideoBuffer` keeps pointing at the caller's bytes without holding them, so rows are copied here. */
function fill(frame: Frame, { data, width, height }: Image): void {
  const plane = frame.data![0]!;
  const stride = frame.linesize[0]!;
  for (let y = 0; y < height; y++) plane.set(data.subarray(3 * width * y, 3 * width * (y + 1)), stride * y);
}

function check(code: number, doing: string): void {
  if (code < 0) throw new PipeError(`Could not ${doing}: ${FFmpegError.strerror(code)}.`);
}
