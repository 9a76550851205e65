import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { basename, extname, join, relative, resolve, sep } from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { PipeError } from "../errors.ts";
import type { Refused, Source } from "../records.ts";
import { kindOf, whyUnreadable } from "./open.ts";

/** File name endings that a folder is searched for. A file that is named itself may have any. */
export const VIDEO_EXTENSIONS: ReadonlySet<string> = new Set(
  "3gp avi flv m2ts m4v mkv mov mp4 mpeg mpg mts mxf ogv ts vob webm wmv".split(" ").map((name) => `.${name}`),
);

/** An input file before its bytes were read. */
export type Input = Pick<Source, "path" | "name" | "bytes">;

/**
 * The files that `patterns` name, each once: in the order of the patterns, sorted within each.
 *
 * A pattern is a path first: only where nothing of that name exists is it read as a glob, so that names such as
 * `[1].mp4` or `%03d.mp4` need no escape. Folders are searched recursively for {@link VIDEO_EXTENSIONS}. What is found
 * in a folder or by a glob may not lie outside it: symbolic links that lead out are refused, as is everything that is no
 * regular file; `**` does not follow links at all. Nothing is opened.
 *
 * @throws PipeError for a pattern that names nothing.
 */
export async function* expandInputs(
  patterns: readonly string[],
  { signal }: { signal?: AbortSignal } = {},
): AsyncGenerator<Input | Refused, void, void> {
  const seen = new Set<string>();
  for (const pattern of patterns) {
    signal?.throwIfAborted();
    for (const match of await matches(pattern)) {
      signal?.throwIfAborted();
      const real = match.real ?? (await realpath(match.path).catch(() => undefined));
      const input = await look(match, real);
      // The same file under two names, by patterns or links, is one input.
      if (seen.has(real ?? match.path)) continue;
      seen.add(real ?? match.path);
      yield input;
    }
  }
}

interface Match {
  readonly path: string;
  readonly name: string;
  /** True path of the folder that links may not lead out of; undefined for a file that was named itself. */
  readonly root?: string;
  /** Its own true path, where a listing told it: a folder of ten thousand files is looked into again and again. */
  readonly real?: string;
}

async function matches(pattern: string): Promise<Match[]> {
  const path = resolve(pattern);
  const stats = await lstat(path).catch(() => undefined);
  const folder = stats && (await stat(path).catch(() => undefined))?.isDirectory();
  if (folder) return within(path);
  if (stats) return [{ path, name: basename(path) }];
  if (!isDynamicPattern(pattern))
    throw new PipeError(`There is no file, folder or glob match named ${JSON.stringify(pattern)}.`, {
      hint: "Paths are taken from the current folder; quote a glob, so that the shell leaves it whole.",
    });
  const found = await glob(pattern, {
    absolute: true,
    dot: false,
    // A link to a folder far up would have `**` search the whole disk.
    followSymbolicLinks: !pattern.includes("**"),
    expandDirectories: false,
  });
  if (found.length === 0) throw new PipeError(`The glob ${JSON.stringify(pattern)} matches no file.`);
  const fixed = resolve(fixedPart(pattern));
  const root = await realpath(fixed);
  return found.map((path) => ({ path: resolve(path), name: relative(fixed, resolve(path)), root })).sort(byName);
}

async function within(folder: string): Promise<Match[]> {
  const root = await realpath(folder);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory() && VIDEO_EXTENSIONS.has(extname(entry.name).toLowerCase()))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const name = relative(folder, path);
      // The listing follows no links, so that only the file itself may be one.
      return { path, name, root, ...(entry.isFile() && { real: join(root, name) }) };
    })
    .sort(byName);
}

/** The folders before the first part with a wildcard. */
function fixedPart(pattern: string): string {
  const parts = pattern.split("/");
  const first = parts.findIndex((part) => isDynamicPattern(part));
  return parts.slice(0, first).join("/") || (pattern.startsWith("/") ? "/" : ".");
}

/** `real`: its true path; undefined where it leads nowhere, which its stats will tell. */
async function look({ path, name, root }: Match, real: string | undefined): Promise<Input | Refused> {
  const refused = (reason: string): Refused => ({ path, name, refused: reason });
  try {
    if (root !== undefined && real !== undefined && !real.startsWith(root.endsWith(sep) ? root : root + sep))
      return refused("is a symbolic link that leads out of the input folder");
    const stats = await stat(path);
    const kind = kindOf(stats);
    return kind ? refused(`is ${kind}, not a regular file`) : { path, name, bytes: stats.size };
  } catch (error) {
    return refused(whyUnreadable(error));
  }
}

function byName(a: Match, b: Match): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
