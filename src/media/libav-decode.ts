import {
  AV_CODEC_ID_VP8,
  AV_PKT_FLAG_DISCARD,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  AVSEEK_FLAG_BACKWARD,
} from "node-av/constants";
import { type CodecContext, FFmpegError, Frame, Packet, type Stream } from "node-av/lib";
import { Clock, Sampler, toMicros } from "./clock.ts";
import { rawRate, rawWarning } from "./formats.ts";
import { Converter } from "./libav-convert.ts";
import { NO_PTS, type OpenVideo, openCodec, openVideo } from "./libav-open.ts";
import type { Job, Outcome } from "./libav-protocol.ts";
import { FrameCount, TRIAL } from "./origin.ts";
import type { DecodedFrame } from "./types.ts";

export interface Sink {
  /** Memory for one frame's pixels, whatever it holds. */
  room(bytes: number): Uint8Array;
  frame(frame: DecodedFrame): void;
  progress(): void;
  stopped(): boolean;
}

/**
 * Decodes one video in this thread: packets → frames (on libav's frame threads) → sampling by pts → RGB. Frames that the
 * sampling passes over are never converted.
 */
export function decodeVideo(job: Job, sink: Sink): Outcome {
  using video = openVideo(job.path, job.fd, job.maxPixels);
  using codec = openCodec(job.path, video.stream, job.maxPixels, job.threads);
  const { format, stream, base } = video;
  if (job.start !== undefined && job.start > 0 && rawRate(video.probe) === undefined) {
    const before = lookBefore(job, job.start, video, codec, sink);
    codec.flushBuffers();
    const ticks = (seconds: number): bigint => BigInt(Math.floor((seconds * base.den) / base.num));
    if (before && format.seekFrameSync(stream.index, ticks(job.start - 1), AVSEEK_FLAG_BACKWARD) >= 0) {
      const outcome = decodeFrom(job, video, codec, sink, before);
      if (outcome) return outcome;
      // The index led to a keyframe later than `start`: frames before it would be missing.
      codec.flushBuffers();
    }
    format.seekFrameSync(stream.index, stream.startTime === NO_PTS ? 0n : stream.startTime, AVSEEK_FLAG_BACKWARD);
  }
  return decodeFrom(job, video, codec, sink)!;
}

/** What lies before a part of the stream that begins with a frame of at most `by` seconds. */
interface Before {
  readonly by: number;
  /** See {@link DecodedFrame.firstPts}. */
  readonly firstPts: number;
  readonly count: FrameCount;
}

/** Reads packets up to a time, seconds; undefined where they do not tell how many frames there are. */
function lookBefore(job: Job, start: number, video: OpenVideo, codec: CodecContext, sink: Sink): Before | undefined {
  const { format, stream, base } = video;
  const shown: number[] = [];
  const { fps: _, start: __, end: ___, ...whole } = job;
  const trial = decodeFrom(whole, video, codec, {
    ...sink,
    room: (bytes) => new Uint8Array(bytes),
    frame: ({ pts }) => void shown.push(pts),
    stopped: () => shown.length >= TRIAL || sink.stopped(),
  })!;
  const packets = [...trial.packets];
  using packet = new Packet();
  packet.alloc();
  for (let late = false; !late && !sink.stopped(); ) {
    const code = format.readFrameSync(packet);
    if (code === AVERROR_EAGAIN) continue;
    if (code < 0) break;
    sink.progress();
    if (packet.streamIndex === stream.index) {
      if (givesFrame(packet, stream)) packets.push(packet.pts === NO_PTS ? null : toMicros(packet.pts, base));
      // No later packet is shown before it is decoded.
      late = packet.dts !== NO_PTS && toMicros(packet.dts, base) > start * 1e6;
    }
    packet.unref();
  }
  const count = new FrameCount(packets);
  if (!count.agrees(shown)) return undefined;
  return { by: start, firstPts: shown[0]!, count };
}

/**
 * An empty packet repeats the picture before (Theora). Packets that an edit list discards give no frame, nor does one of
 * VP8's that only carries a reference picture.
 */
function givesFrame(packet: Packet, { codecpar }: Stream): boolean {
  const hidden = codecpar.codecId === AV_CODEC_ID_VP8 && ((packet.data?.[0] ?? 16) & 16) === 0;
  return packet.size > 0 && (packet.flags & AV_PKT_FLAG_DISCARD) === 0 && !hidden;
}

/**
 * Decodes from where the container stands, which is its beginning where nothing lies `before`; undefined, with nothing
 * sent, when the first frame comes after `before.by` seconds.
 */
function decodeFrom(job: Job, video: OpenVideo, codec: CodecContext, sink: Sink, before?: Before): Outcome | undefined {
  const { format, stream, base } = video;
  const rate = rawRate(video.probe);
  const clock = new Clock(rate);
  const warnings = rate === undefined ? [] : [rawWarning(rate)];
  const sampler = new Sampler(job);
  const packets: (number | null)[] = [];
  let [decoded, sampled, skipped] = [0, 0, 0];
  const by = before?.by;
  let earlier = 0;
  let firstPts = 0;
  let first = Number.NEGATIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  let error: string | undefined;
  const at: { state: "running" | "late" | "ended" } = { state: "running" };
  using packet = new Packet();
  packet.alloc();
  using frame = new Frame();
  frame.alloc();
  using converter = new Converter(video.square, video.orientation);

  const micros = (ticks: bigint): number | null => (ticks === NO_PTS ? null : toMicros(ticks, base));
  const take = (): void => {
    const pts = clock.next(micros(frame.bestEffortTimestamp), toMicros(frame.duration, base));
    if (decoded === 0) {
      if (by !== undefined && pts > by * 1e6) at.state = "late";
      first = pts;
      firstPts = before?.firstPts ?? pts;
      earlier = before?.count.between(firstPts, pts) ?? 0;
    }
    if (at.state === "late") return;
    if (frame.decodeErrorFlags !== 0) error ??= "parts of a picture were missing and patched over";
    const index = earlier + decoded++;
    last = pts;
    const wish = sampler.see(pts);
    if (wish === "end") at.state = "ended";
    if (wish === "sample") {
      sampled++;
      sink.frame({ index, pts, firstPts, image: converter.convert(frame, sink.room) });
    } else skipped++;
    sink.progress();
  };
  /** Sends one packet (null: no more) and takes what comes; false when the decoder refused it. */
  const feed = (next: Packet | null): boolean => {
    let code = codec.sendPacketSync(next);
    while (code >= 0 && at.state === "running" && !sink.stopped()) {
      code = codec.receiveFrameSync(frame);
      if (code >= 0) take();
    }
    if (code >= 0 || code === AVERROR_EAGAIN || code === AVERROR_EOF) return true;
    error = FFmpegError.strerror(code);
    return false;
  };

  let decoding = true;
  while (at.state === "running" && !sink.stopped()) {
    const code = format.readFrameSync(packet);
    if (code === AVERROR_EAGAIN) continue;
    if (code < 0) break;
    sink.progress();
    // Decoders refuse an empty packet.
    if (packet.streamIndex === stream.index && packet.size > 0) {
      if (givesFrame(packet, stream)) packets.push(micros(packet.pts));
      if (decoding) decoding = feed(packet);
    }
    packet.unref();
  }
  if (decoding && at.state === "running" && !sink.stopped()) feed(null);
  if (by !== undefined && (at.state === "late" || decoded === 0) && !sink.stopped()) return undefined;

  const partial = by !== undefined || job.end !== undefined || (job.start !== undefined && rate !== undefined);
  const till = at.state === "ended" ? last : job.end !== undefined && error ? job.end * 1e6 : Number.POSITIVE_INFINITY;
  return {
    // Which packets without times belong to a part cannot be known.
    packets: rate !== undefined && partial ? packets.slice(0, decoded) : packets,
    decoded,
    sampled,
    skipped,
    announced: partial ? null : video.probe.announcedFrames,
    duration: video.probe.duration,
    ...(partial && { part: { first: by === undefined ? Number.NEGATIVE_INFINITY : first, last: till } }),
    ...(error !== undefined && { error }),
    warnings: [...warnings, ...converter.warnings],
  };
}
