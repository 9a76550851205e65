import {
  AV_DISPOSITION_ATTACHED_PIC,
  AV_PKT_DATA_DISPLAYMATRIX,
  AVERROR_EINVAL,
  AVMEDIA_TYPE_VIDEO,
} from "node-av/constants";
import { Codec, CodecContext, Dictionary, FFmpegError, FormatContext, type Stream } from "node-av/lib";
import { PipeError } from "../errors.ts";
import { type Rational, toMicros } from "./clock.ts";
import { CONTAINERS, RAW_STREAMS } from "./formats.ts";
import { checkSize, type Orientation, orientationOf, squareSize, turnedSize, turnsOf, UPRIGHT } from "./geometry.ts";
import type { Size } from "./images.ts";
import { notAVideo } from "./not-a-video.ts";
import type { Probe } from "./types.ts";

/** AV_NOPTS_VALUE: the container gives no time. */
export const NO_PTS = -(2n ** 63n);

export interface OpenVideo extends Disposable {
  readonly format: FormatContext;
  readonly stream: Stream;
  readonly base: Rational;
  readonly orientation: Orientation;
  /** Size with square pixels before turning: what frames are converted to. */
  readonly square: Size;
  readonly probe: Probe;
}

/**
 * Opens the first real video stream (not cover art) of a descriptor through libavformat. The descriptor is read through the protocol
 * `fd`, the only one allowed, so that nothing in the file can make libav open anything else.
 *
 * @throws PipeError for what is no video container, has no video, or is too large.
 */
export function openVideo(path: string, fd: number, maxPixels: number): OpenVideo {
  const format = new FormatContext();
  format.allocContext();
  try {
    const options = Dictionary.fromObject({
      fd,
      protocol_whitelist: "fd",
      format_whitelist: CONTAINERS.join(","),
      fflags: "+discardcorrupt",
    });
    const opened = format.openInputSync("fd:", null, options);
    // libav's answer to a format that is not on the list is "invalid argument".
    if (opened < 0)
      throw notAVideo(
        path,
        opened === AVERROR_EINVAL ? "its format is none of those known" : FFmpegError.strerror(opened),
      );
    const early = videoOf(format);
    if (early) sizesOf(path, early, maxPixels);
    // As with open2Sync below: a dictionary given here is freed twice, and the process ends in a segmentation fault.
    const found = format.findStreamInfoSync();
    if (found < 0) throw notAVideo(path, FFmpegError.strerror(found));
    const stream = videoOf(format);
    if (!stream)
      throw new PipeError(`${path}: there is no video in it${format.nbStreams > 0 ? ", only other streams" : ""}.`, {
        hint: "Give a file with a video stream.",
      });
    const sizes = sizesOf(path, stream, maxPixels);
    return {
      format,
      stream,
      base: { num: stream.timeBase.num, den: stream.timeBase.den },
      ...sizes,
      probe: probeOf(format, stream, sizes),
      [Symbol.dispose]: () => format.closeInputSync(),
    };
  } catch (error) {
    format.closeInputSync();
    throw error;
  }
}

/** @throws PipeError when this build of libav has no decoder for the codec. */
export function openCodec(path: string, stream: Stream, maxPixels: number, threads: number): CodecContext {
  const codec = Codec.findDecoder(stream.codecpar.codecId);
  if (!codec)
    throw new PipeError(`${path}: there is no decoder for its codec.`, {
      hint: "Try --set extract-frames.decoder=ffmpeg.",
    });
  const context = new CodecContext();
  context.allocContext3(codec);
  context.parametersToContext(stream.codecpar);
  context.pktTimebase = stream.timeBase;
  context.threadCount = threads;
  // open2Sync frees a dictionary given to it and the wrapper frees it again: the process ends in a segmentation fault.
  context.setOption("max_pixels", String(maxPixels));
  const opened = context.open2Sync(codec);
  if (opened < 0) {
    context.freeContext();
    throw notAVideo(path, FFmpegError.strerror(opened));
  }
  return context;
}

interface Sizes {
  readonly coded: Size;
  readonly square: Size;
  readonly orientation: Orientation;
  readonly ratio: Rational;
}

function sizesOf(path: string, stream: Stream, maxPixels: number): Sizes {
  const { codecpar } = stream;
  const coded = { width: codecpar.width, height: codecpar.height };
  // As av_guess_sample_aspect_ratio: what the container says goes before what the codec says.
  const outer = stream.sampleAspectRatio;
  const ratio = outer.num > 0 && outer.den > 0 ? outer : codecpar.sampleAspectRatio;
  const square = squareSize(coded, ratio);
  // Some headers leave the size to the codec; it is known after the first packets.
  if (coded.width > 0) checkSize(path, coded, square, maxPixels);
  const matrix = codecpar.getCodedSideData(AV_PKT_DATA_DISPLAYMATRIX);
  const orientation = matrix ? orientationOf([...Array(9).keys()].map((k) => matrix.readInt32LE(k * 4))) : UPRIGHT;
  return { coded, square, orientation, ratio: { num: ratio.num, den: ratio.den } };
}

function probeOf(format: FormatContext, stream: Stream, { coded, square, orientation, ratio }: Sizes): Probe {
  const container = format.iformat?.name ?? "unknown";
  // What a raw stream states is the codec's; its demuxer says 25 whatever it is.
  const rate = RAW_STREAMS.has(container) ? stream.codecpar.frameRate : stream.avgFrameRate;
  const duration =
    stream.duration > 0n
      ? toMicros(stream.duration, stream.timeBase)
      : format.duration > 0n
        ? Number(format.duration)
        : null;
  return {
    container,
    codec: Codec.findDecoder(stream.codecpar.codecId)?.name ?? "unknown",
    coded,
    display: turnedSize(square, orientation),
    ...turnsOf(orientation),
    sampleAspectRatio: ratio.num > 0 && ratio.den > 0 ? ratio.num / ratio.den : 1,
    duration,
    announcedFrames: stream.nbFrames > 0n ? Number(stream.nbFrames) : null,
    fps: rate.num > 0 && rate.den > 0 ? rate.num / rate.den : null,
  };
}

function videoOf(format: FormatContext): Stream | undefined {
  return format.streams.find(
    (stream) =>
      stream.codecpar.codecType === AVMEDIA_TYPE_VIDEO && (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) === 0,
  );
}
