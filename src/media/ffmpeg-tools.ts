import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { PipeError } from "../errors.ts";
import { CONTAINERS } from "./formats.ts";

export interface Tools {
  readonly ffmpeg: string;
  readonly ffprobe: string;
}

/**
 * The user's ffmpeg: FFMPEG_PATH, else the first on PATH; and its ffprobe: FFPROBE_PATH, else the one beside ffmpeg, else PATH.
 *
 * @throws PipeError when either is absent.
 */
export async function findTools(env: NodeJS.ProcessEnv = process.env): Promise<Tools> {
  const folders = (env.PATH ?? "").split(delimiter).filter(Boolean);
  const suffix = process.platform === "win32" ? ".exe" : "";
  const ffmpeg = await firstRunnable(
    env.FFMPEG_PATH ? [env.FFMPEG_PATH] : folders.map((folder) => join(folder, `ffmpeg${suffix}`)),
  );
  if (!ffmpeg)
    throw new PipeError(
      env.FFMPEG_PATH ? `FFMPEG_PATH names no executable: ${env.FFMPEG_PATH}.` : "There is no ffmpeg on PATH.",
      { hint: "Install ffmpeg 5.1 or newer, set FFMPEG_PATH, or use the built-in decoder: libav." },
    );
  const ffprobe = await firstRunnable(
    env.FFPROBE_PATH
      ? [env.FFPROBE_PATH]
      : [dirname(ffmpeg), ...folders].map((folder) => join(folder, `ffprobe${suffix}`)),
  );
  if (!ffprobe)
    throw new PipeError(`There is no ffprobe beside ${ffmpeg} nor on PATH.`, {
      hint: "It comes with ffmpeg; set FFPROBE_PATH if it lies elsewhere.",
    });
  return { ffmpeg, ffprobe };
}

/** Options that ffmpeg and ffprobe need before a file: nothing else may be opened because of what is in it. */
export function safely(maxPixels: number): string[] {
  return [
    ...["-protocol_whitelist", "file"],
    ...["-format_whitelist", CONTAINERS.join(",")],
    ...["-max_pixels", String(maxPixels)],
    ...["-fflags", "+discardcorrupt"],
  ];
}

/** Runs ffprobe and gives what it prints. The process is killed on abort. */
export function runProbe(ffprobe: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const child = execFile(
      ffprobe,
      ["-hide_banner", "-loglevel", "error", ...args],
      { maxBuffer: 1 << 30, windowsHide: true },
      (error, stdout, stderr) => {
        signal.removeEventListener("abort", kill);
        if (signal.aborted) reject(signal.reason);
        else if (error) reject(new ProbeError(lastLine(stderr) || error.message, stdout, stderr));
        else resolve(stdout);
      },
    );
    const kill = (): void => void child.kill("SIGKILL");
    signal.addEventListener("abort", kill, { once: true });
    child.stdin?.end();
  });
}

/** ffprobe failed: its own last word, and what it had printed before. */
export class ProbeError extends Error {
  readonly output: string;
  readonly log: string;

  constructor(message: string, output: string, log: string) {
    super(message);
    this.output = output;
    this.log = log;
  }
}

/** The last line of a tool's log, without the file name in front. */
export function lastLine(log: string): string {
  const line = log.trim().split("\n").at(-1) ?? "";
  return line.replace(/^.*: (?=[A-Z][^:]*$)/, "");
}

async function firstRunnable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths)
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  return undefined;
}
