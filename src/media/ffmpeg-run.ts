import type { FfmpegCommand } from "fluent-ffmpeg";
import type { Probed } from "./ffmpeg-probe.ts";
import { FrameSink, type RawFrame } from "./ffmpeg-stream.ts";
import { lastLine, safely, type Tools } from "./ffmpeg-tools.ts";
import { filtersOf } from "./geometry.ts";

export interface RunOptions {
  /** Absolute path. */
  readonly file: string;
  readonly tools: Tools;
  readonly probed: Probed;
  readonly maxPixels: number;
  /** Begin at a keyframe before this time, seconds. */
  readonly from?: number;
}

/** What the filter `scale` calls matrices. */
const MATRIX_OPTIONS = { bt709: "bt709", smpte170m: "smpte170m", bt2020nc: "bt2020" } as const;

/** How long a killed process may take to be gone, milliseconds. */
const GRACE = 5000;

/** Bytes of pixels that may wait in this process. */
const BUDGET = 64 * 1024 * 1024;

/**
 * Lines that ffmpeg logs when a packet gives no frame or a broken one. Other complaints (an odd header, a late index) do not
 * make a video damaged.
 */
const BROKEN = /error while decoding|error submitting|decoding error|concealing|invalid data found/i;

/** One process of the user's ffmpeg; `close` ends it, whatever it does, and waits for it to be gone. */
export class FfmpegRun {
  /** Settles when the process is gone and its last frame was handed over; never rejects. */
  readonly finished: Promise<void>;
  readonly #sink = new FrameSink(BUDGET);
  readonly #log: string[] = [];
  #command: FfmpegCommand | undefined;
  #failure: Error | undefined;
  #closed = false;

  constructor(options: RunOptions) {
    this.finished = this.#run(options);
  }

  get progress(): number {
    return this.#sink.progress;
  }

  /** Why frames are missing or broken, in ffmpeg's words, as far as it has said so. */
  get error(): string | undefined {
    const broken = this.#log.find((line) => BROKEN.test(line));
    return broken === undefined ? this.#failure?.message : lastLine(broken);
  }

  next(): Promise<RawFrame | undefined> {
    return this.#sink.next();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#command?.kill("SIGKILL");
    this.#sink.close();
    // Before it runs ffmpeg, fluent-ffmpeg asks it for its abilities, in processes that cannot be reached from here.
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, GRACE);
    });
    await Promise.race([this.finished, late]);
    clearTimeout(timer);
  }

  async #run({ file, tools, probed, maxPixels, from }: RunOptions): Promise<void> {
    const { default: ffmpeg } = await import("fluent-ffmpeg");
    const { square, orientation, index, chroma, rgb, colour } = probed;
    const matrix = colour.matrix && `in_color_matrix=${MATRIX_OPTIONS[colour.matrix]}`;
    const filters = [
      "settb=1/1000000",
      // Only sizes and depths are changed where `toSdr` does the rest: swscale is to see nothing that it might convert.
      ...(colour.map ? [`setparams=color_primaries=bt709:color_trc=bt709:colorspace=${rgb ? "gbr" : "bt709"}`] : []),
      `scale=${[square.width, square.height, "flags=bicubic", chroma, matrix].filter(Boolean).join(":")}`,
      `format=${colour.map ? (rgb ? "gbrp16le" : "yuv444p16le") : "rgb24"}`,
      ...filtersOf(orientation),
    ];
    const command = ffmpeg({ stdoutLines: 100 })
      .input(`file:${file}`)
      .inputOptions(
        ...["-nostdin", "-hide_banner", "-nostats", "-loglevel", "repeat+error", "-copyts", "-noautorotate"],
        ...safely(maxPixels),
        ...(from === undefined ? [] : ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", String(from)]),
      )
      // One muxer that writes each frame twice, as a line that says its time and as pixels, keeps the two together.
      .output("[f=framecrc:flush_packets=1]pipe:1|[f=rawvideo:flush_packets=1]pipe:1")
      .outputOptions(
        ...["-map", `0:${index}`, "-fps_mode", "passthrough", "-enc_time_base", "1:1000000"],
        ...["-vf", filters.join(","), "-c:v", "rawvideo", "-f", "tee"],
      )
      // fluent-ffmpeg hands stdout over only to an output that is a stream; this one writes nothing.
      .output(this.#sink)
      .outputOptions("-map", `0:${index}`, "-c", "copy", "-f", "null");
    command.setFfmpegPath(tools.ffmpeg);
    const drained = new Promise<void>((resolve) => this.#sink.once("finish", resolve));
    await new Promise<void>((resolve) => {
      command.on("stderr", (line: string) => {
        if (this.#log.length < 1000) this.#log.push(line);
      });
      // kill() does nothing before the process runs, so a close in between is made good here.
      command.on("start", () => {
        this.#command = command;
        if (this.#closed) command.kill("SIGKILL");
      });
      command.on("end", () => resolve());
      command.on("error", (error: Error) => {
        if (!this.#closed)
          this.#failure = new Error(this.#log.length > 0 ? lastLine(this.#log.at(-1)!) : error.message);
        resolve();
      });
      if (this.#closed) resolve();
      else command.run();
    });
    this.#command = undefined;
    // The process may be gone before its last bytes were read from the pipe.
    if (!this.#closed && !this.#failure) await drained;
    this.#sink.close();
  }
}
