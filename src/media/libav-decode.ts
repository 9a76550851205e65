import {
  AV_CODEC_ID_VP8,
  AV_PKT_FLAG_DISCARD,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  AVSEEK_FLAG_BACKWARD,
} from "node-av/constants";
import { type CodecContext, FFmpegError, Frame, Packet } from "node-av/lib";
import { Clock, Sampler, toMicros } from "./clock.ts";
import { Converter } from "./libav-convert.ts";
import { NO_PTS, type OpenVideo, openCodec, openVideo } from "./libav-open.ts";
import type { Job, Outcome } from "./libav-protocol.ts";
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
  if (job.start !== undefined && job.start > 0) {
    const ticks = (seconds: number): bigint => BigInt(Math.floor((seconds * base.den) / base.num));
    if (format.seekFrameSync(stream.index, ticks(job.start - 1), AVSEEK_FLAG_BACKWARD) >= 0) {
      const outcome = decodeFrom(job, video, codec, sink, job.start);
      if (outcome) return outcome;
      // The index led to a keyframe later than `start`: frames before it would be missing.
      codec.flushBuffers();
      format.seekFrameSync(stream.index, stream.startTime === NO_PTS ? 0n : stream.startTime, AVSEEK_FLAG_BACKWARD);
    }
  }
  return decodeFrom(job, video, codec, sink)!;
}

/** Decodes from where the container stands; undefined, with nothing sent, when the first frame comes after `by` seconds. */
function decodeFrom(job: Job, video: OpenVideo, codec: CodecContext, sink: Sink, by?: number): Outcome | undefined {
  const { format, stream, base } = video;
  const clock = new Clock();
  const sampler = new Sampler(job);
  const packets: (number | null)[] = [];
  const hidden = stream.codecpar.codecId === AV_CODEC_ID_VP8;
  let [decoded, sampled, skipped] = [0, 0, 0];
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
    }
    if (at.state === "late") return;
    if (frame.decodeErrorFlags !== 0) error ??= "parts of a picture were missing and patched over";
    const index = decoded++;
    last = pts;
    const wish = sampler.see(pts);
    if (wish === "end") at.state = "ended";
    if (wish === "sample") {
      sampled++;
      sink.frame({ index, pts, image: converter.convert(frame, sink.room) });
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
    // An empty packet repeats the picture before (Theora); it gives no frame, and decoders refuse it.
    if (packet.streamIndex === stream.index && packet.size > 0) {
      // Packets that an edit list discards give no frame, nor does one of VP8's that only carries a reference picture.
      const shown = (packet.flags & AV_PKT_FLAG_DISCARD) === 0 && !(hidden && ((packet.data?.[0] ?? 16) & 16) === 0);
      if (shown) packets.push(micros(packet.pts));
      if (decoding) decoding = feed(packet);
    }
    packet.unref();
  }
  if (decoding && at.state === "running" && !sink.stopped()) feed(null);
  if (by !== undefined && (at.state === "late" || decoded === 0) && !sink.stopped()) return undefined;

  const partial = by !== undefined || job.end !== undefined;
  const till = at.state === "ended" ? last : job.end !== undefined && error ? job.end * 1e6 : Number.POSITIVE_INFINITY;
  return {
    packets,
    decoded,
    sampled,
    skipped,
    announced: partial ? null : video.probe.announcedFrames,
    ...(partial && { part: { first: by === undefined ? Number.NEGATIVE_INFINITY : first, last: till } }),
    ...(error !== undefined && { error }),
  };
}
