import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PipeError } from "../errors.ts";
import type { Image } from "../records.ts";
import { Clock, Sampler } from "./clock.ts";
import { toSdr } from "./colour.ts";
import { decodingOf } from "./decoding.ts";
import { judge } from "./ending.ts";
import { Gate } from "./ffmpeg-order.ts";
import { type Probed, packetTimes, probeWithTools } from "./ffmpeg-probe.ts";
import { FfmpegRun } from "./ffmpeg-run.ts";
import { findTools } from "./ffmpeg-tools.ts";
import { MAX_PIXELS, rawRate, rawWarning } from "./formats.ts";
import { turnedSize } from "./geometry.ts";
import { Limits } from "./limits.ts";
import { openRegular } from "./open.ts";
import { FrameCount, TRIAL } from "./origin.ts";
import { missingBytes } from "./structure.ts";
import type { DecodedFrame, DecodeEnding, DecodeOptions, Decoding, Probe } from "./types.ts";

/**
 * Decodes with the user's ffmpeg, in its own process. ffprobe lists the packets first, since ffmpeg's exit code is 0 for
 * files that end early. Unlike libav's, frames that the sampling passes over are converted and piped all the same.
 */
export function decodeWithFfmpeg(path: string, options: DecodeOptions): Decoding {
  return decodingOf(path, async function* (): AsyncGenerator<DecodedFrame, DecodeEnding, void> {
    const file = resolve(path);
    const { handle, bytes } = await openRegular(file);
    const missing = await missingBytes(handle, bytes).finally(() => handle.close());
    const tools = await findTools();
    let run: FfmpegRun | undefined;
    const limits = new Limits(path, options, () => run?.progress ?? 0);
    try {
      const { maxPixels = MAX_PIXELS, start, end } = options;
      const probed = await limits.watch(probeWithTools(file, tools, maxPixels, limits.signal));
      const packets = await limits.watch(packetTimes(file, tools, probed, maxPixels, limits.signal));
      const begin = (from?: number): FfmpegRun =>
        new FfmpegRun({ file, tools, probed, maxPixels, ...(from !== undefined && { from }) });
      const rate = rawRate(probed.probe);
      const count = new FrameCount(packets);
      let firstPts: number | undefined;
      if (start !== undefined && start > 0 && rate === undefined && gateable(packets, probed)) {
        run = begin();
        const shown: number[] = [];
        for (
          let one = await limits.race(run.next());
          one;
          one = shown.length < TRIAL ? await limits.race(run.next()) : undefined
        )
          shown.push(one.pts);
        await run.close();
        if (count.agrees(shown)) firstPts = shown[0]!;
      }
      const seeking = firstPts !== undefined && start !== undefined;
      run = begin(seeking ? Math.max(0, start - 1) : undefined);
      let next = await limits.race(run.next());
      let jumped = seeking;
      if (seeking && (next === undefined || next.pts > start * 1e6)) {
        // The index led to a keyframe later than `start`: frames before it would be missing.
        await run.close();
        run = begin();
        next = await limits.race(run.next());
        jumped = false;
      }

      const clock = new Clock(rate);
      const sampler = new Sampler(options);
      let [earlier, decoded, sampled, skipped] = [0, 0, 0, 0];
      let [first, last] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
      let state: "running" | "damaged" | "ended" = "running";
      const gate = new Gate(gateable(packets, probed) ? packets : [], probed.delay);
      for (; state === "running"; next = next && (await limits.race(run.next()))) {
        let { frames, hole } = gate.push(next);
        if (hole && !(await reportedError(run))) [frames, hole] = [[...frames, ...gate.open()], false];
        for (const frame of frames) {
          const pts = clock.next(frame.pts, 1);
          if (decoded === 0) {
            first = pts;
            if (jumped) earlier = count.between(firstPts!, pts);
            else firstPts = pts;
          }
          last = pts;
          const index = earlier + decoded++;
          const wish = sampler.see(pts);
          if (wish === "sample") {
            sampled++;
            yield {
              index,
              pts,
              firstPts: firstPts!,
              image: imageOf(frame.data, probed),
            };
          } else skipped++;
          if (wish === "end") {
            state = "ended";
            break;
          }
        }
        if (hole && state === "running") state = "damaged";
        if (next === undefined && state === "running") break;
      }
      if (state === "running") await limits.race(run.finished);
      const error = run.error;
      if (decoded === 0 && packets.length === 0)
        throw new PipeError(`${path}: ffmpeg could not decode it: ${error ?? "no frame came"}.`);
      const partial = start !== undefined || end !== undefined;
      const till = state === "ended" ? last : state === "damaged" && end !== undefined ? end * 1e6 : Infinity;
      // Some of VP8's packets only carry a reference picture; ffprobe does not tell which. Packets of a raw stream have no
      // times that would tell whether they belong to a part.
      const hidden = probed.probe.codec === "vp8" && error === undefined;
      return judge({
        packets: hidden || (rate !== undefined && partial) ? packets.slice(0, decoded) : packets,
        decoded,
        sampled,
        skipped,
        announced: partial ? null : probed.probe.announcedFrames,
        duration: probed.probe.duration,
        missingBytes: missing,
        ...(partial && { part: { first: jumped ? first : Number.NEGATIVE_INFINITY, last: till } }),
        ...(error !== undefined && { error }),
        warnings: [...(rate === undefined ? [] : [rawWarning(rate)]), ...probed.colour.warnings],
      });
    } finally {
      limits.close();
      await run?.close();
    }
  });
}

/** What ffmpeg wrote of a frame, which is upright: RGB, or planes of 16 bits that are yet to become it. */
function imageOf(data: Uint8Array, { square, orientation, colour }: Probed): Image {
  const size = turnedSize(square, orientation);
  if (!colour.map) return { ...size, data };
  const samples = size.width * size.height;
  const plane = (k: number): Uint16Array => new Uint16Array(data.buffer, data.byteOffset + 2 * samples * k, samples);
  const image = { ...size, data: new Uint8Array(samples * 3) };
  toSdr([plane(0), plane(1), plane(2)], [size.width, size.width, size.width], size, colour.map, image.data);
  return image;
}

/** What the file says of itself, read by the user's ffprobe. */
export async function probeWithFfmpeg(path: string, options: DecodeOptions): Promise<Probe> {
  const file = resolve(path);
  await (await openRegular(file)).handle.close();
  const tools = await findTools();
  const limits = new Limits(path, options, () => 0);
  try {
    return (await limits.watch(probeWithTools(file, tools, options.maxPixels ?? MAX_PIXELS, limits.signal))).probe;
  } finally {
    limits.close();
  }
}

/** Missing frames can be told only where every packet has its time and its frame. */
function gateable(packets: readonly (number | null)[], { probe }: Probed): boolean {
  return probe.codec !== "vp8" && packets.every((pts) => pts !== null) && new Set(packets).size === packets.length;
}

/** ffmpeg's log comes through another pipe than its frames, and may come a little later. */
async function reportedError(run: FfmpegRun): Promise<boolean> {
  for (let wait = 0; wait < 10 && run.error === undefined; wait++) await sleep(20);
  return run.error !== undefined;
}
