import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { PipeError } from "../../src/errors.ts";
import { decode, probe } from "../../src/media/index.ts";
import type { DecoderName } from "../../src/media/types.ts";
import { hear } from "./clips.ts";
import { belongings, expectNothingLeft } from "./leaks.ts";

export interface Clip {
  readonly path: string;
  readonly frames: number;
  readonly width: number;
  readonly height: number;
  /** Microseconds of the first frames. */
  readonly pts?: readonly number[];
}

/** The exam that every decoder passes. `clip` is whole, has at least 20 frames and rising times. */
export function decoderExam(decoder: DecoderName, clip: () => Clip): void {
  describe(`${decoder}: a whole clip`, () => {
    it("gives every frame, upright, with rising integer pts, and the books balance", async () => {
      const { path, frames, width, height, pts } = clip();
      const heard = await hear(path, { decoder }, ({ image }) =>
        expect(image.data.length).toBe(image.width * image.height * 3),
      );
      expect(heard.frames).toHaveLength(frames);
      if (pts) expect(heard.frames.slice(0, pts.length).map((frame) => frame.pts)).toEqual(pts);
      heard.frames.forEach((frame, k) => {
        expect(frame).toMatchObject({ index: k, width, height });
        expect(Number.isSafeInteger(frame.pts)).toBe(true);
        if (k > 0) expect(frame.pts).toBeGreaterThan(heard.frames[k - 1]!.pts);
      });
      const counts = { demuxed: frames, decoded: frames, failed: 0, sampled: frames, skipped: 0 };
      expect(heard.ending).toEqual({ verdict: "complete", counts, warnings: [] });
      expect((await probe(path, { decoder })).display).toEqual({ width, height });
    });

    it("samples by time: the first frame of each interval", async () => {
      const { path } = clip();
      const all = (await hear(path, { decoder })).frames;
      for (const fps of [0.7, 3, 7.3, 1000]) {
        const some = await hear(path, { decoder, fps });
        const first = all[0]!.pts;
        const interval = (pts: number) => Math.floor(((pts - first) * fps) / 1e6);
        const wanted = all.filter((frame, k) => k === 0 || interval(frame.pts) !== interval(all[k - 1]!.pts));
        expect(some.frames).toEqual(wanted);
        const { counts } = some.ending;
        expect(counts).toMatchObject({ sampled: wanted.length, skipped: all.length - wanted.length });
      }
    });

    it("cuts a range exactly: start <= pts < end", async () => {
      const { path } = clip();
      const all = (await hear(path, { decoder })).frames;
      const [a, b] = [all[7]!.pts, all[15]!.pts];
      for (const [start, end] of [
        [a, b],
        [a + 1, b + 1],
        [0, b],
        [a, undefined],
        [all.at(-1)!.pts + 1, undefined],
      ] as const) {
        const range = { start: start / 1e6, ...(end !== undefined && { end: end / 1e6 }) };
        const some = await hear(path, { decoder, ...range });
        const wanted = all.filter(({ pts }) => pts >= start && (end === undefined || pts < end));
        // The same numbers and the same first frame of the file, though decoding began in the middle.
        expect(some.frames).toEqual(wanted);
        const { counts, verdict } = some.ending;
        expect(verdict).toBe("complete");
        expect(counts.demuxed).toBe(counts.decoded + counts.failed);
        expect(counts.decoded).toBe(counts.sampled + counts.skipped);
        expect(counts.sampled).toBe(wanted.length);
      }
    });
  });

  describe(`${decoder}: leaving early`, () => {
    it("leaves nothing behind at the end, after break, error and abort, and when it never begins", async () => {
      const { path } = clip();
      await hear(path, { decoder });
      const before = belongings();
      decode(path, { decoder });
      await hear(path, { decoder });
      await expectNothingLeft(before);

      const left = decode(path, { decoder });
      for await (const frame of left) if (frame.index === 2) break;
      await expectNothingLeft(before);
      await expect(left.ending).rejects.toThrow(/left before the last frame/);

      const failing = async () => {
        for await (const _ of decode(path, { decoder })) throw new RangeError("mine");
      };
      await expect(failing()).rejects.toThrow("mine");
      await expectNothingLeft(before);

      for (const delay of [-1, 0, 30, 200]) {
        const controller = new AbortController();
        const abort = () => controller.abort(new RangeError("stop"));
        if (delay < 0) abort();
        else setTimeout(abort, delay);
        const stopped = decode(path, { decoder, signal: controller.signal });
        const loop = async () => {
          for await (const _ of stopped) await sleep(50);
          await sleep(delay);
        };
        await expect(loop()).rejects.toThrow("stop");
        await expect(stopped.ending).rejects.toThrow("stop");
        await expectNothingLeft(before);
      }
    });

    it("stops at the wall clock, though the consumer is the slow one", async () => {
      const before = belongings();
      const slow = async () => {
        for await (const _ of decode(clip().path, { decoder, timeout: 0.5 })) await sleep(100);
      };
      await expect(slow()).rejects.toThrow(/took longer than 0.5 s/);
      await expectNothingLeft(before);
    });

    it("may be iterated only once", async () => {
      const decoding = decode(clip().path, { decoder });
      for await (const _ of decoding) break;
      const again = async () => {
        for await (const _ of decoding) break;
      };
      await expect(again()).rejects.toThrow(/only once/);
    });

    it("refuses frames above the limit of pixels", async () => {
      const { path, width, height } = clip();
      const tooLarge = hear(path, { decoder, maxPixels: width * height - 1 });
      await expect(tooLarge).rejects.toThrow(PipeError);
      await expect(tooLarge).rejects.toThrow(/limit/);
    });
  });
}
