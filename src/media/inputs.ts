import * as fs from "node:fs";
import { lstat, realpath, stat } from "node:fs/promises";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { PipeError } from "../errors.ts";
import type { Refused, Source } from "../records.ts";
import { LIKE_VIDEO_EXTENSIONS, VIDEO_EXTENSIONS } from "./formats.ts";
import { kindOf, whyUnreadable } from "./open.ts";
import { isHidden, walk } from "./walk.ts";

/** An input file before its bytes were read. */
export type Input = Pick<Source, "path" | "name" | "bytes">;

export interface InputOptions {
  readonly signal?: AbortSignal;
  /** Enter links to folders too, those that lead out of the folder included. Default: no. */
  readonly follow?: boolean;
  /** Hears what a folder holds that was passed over, in a sentence. */
  readonly note?: (message: string) => void;
}

/**
 * The files that `patterns` name, each once: in the order of the patterns, sorted within each.
 *
 * A pattern is a path first: only where nothing of that name exists is it read as a glob, so that names such as
 * `[1].mp4` or `%03d.mp4` need no escape. Folders are searched recursively for {@link VIDEO_EXTENSIONS}; hidden names and trash
 * folders ({@link isHidden}) are no inputs unless the pattern names them.
 *
 * A link to a file is an entry of the folder it is in, wherever it leads, and keeps its own path and name: a Hugging Face snapshot or
 * a DataLad data set is read as people see it. It is left out where the file itself is among the inputs. Links to folders are
 * entered with `follow` alone, each folder once. A link that leads nowhere, and what is no regular file, is refused. Nothing is opened.
 *
 * @throws PipeError for a pattern that names nothing.
 */
export async function* expandInputs(
  patterns: readonly string[],
  options: InputOptions = {},
): AsyncGenerator<Input | Refused, void, void> {
  const { signal } = options;
  /** True paths of files that were given, and of those that links lead to. */
  const [files, targets, paths] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const pattern of patterns) {
    signal?.throwIfAborted();
    const found = await matches(pattern, options);
    const own = new Set(found.map(({ real }) => real));
    for (const { link, real, ...match } of found) {
      signal?.throwIfAborted();
      if ("refused" in match) yield match;
      else {
        const target = link ? await realpath(match.path).catch(() => undefined) : undefined;
        const known = link ? target !== undefined && (own.has(target) || files.has(target)) : targets.has(real);
        if (known || paths.has(real)) continue;
        paths.add(real);
        if (!link) files.add(real);
        else if (target !== undefined) targets.add(target);
        yield await look(match, link);
      }
    }
  }
}

type Match = ({ readonly path: string; readonly name: string } | Refused) & {
  /** Its place with no link on the way to it: two of one place are one file, or one link. */
  readonly real: string;
  readonly link: boolean;
};

async function matches(pattern: string, options: InputOptions): Promise<Match[]> {
  const path = resolve(pattern);
  const stats = await lstat(path).catch(() => undefined);
  const folder = stats && (await stat(path).catch(() => undefined))?.isDirectory();
  if (folder) return within(path, pattern, options);
  if (stats) return [{ path, name: basename(path), ...(await placeOf(path)) }];
  if (!isDynamicPattern(pattern))
    throw new PipeError(`There is no file, folder or glob match named ${JSON.stringify(pattern)}.`, {
      hint: "Paths are taken from the current folder; quote a glob, so that the shell leaves it whole.",
    });
  return expandGlob(pattern, options.follow ?? false);
}

/** Videos in a folder, by their endings, and a note on the rest. */
async function within(folder: string, shown: string, { follow, note, signal }: InputOptions): Promise<Match[]> {
  const found: Match[] = [];
  const others = new Map<string, number>();
  const alike: string[] = [];
  const links: string[] = [];
  for await (const each of walk(folder, { ...(follow !== undefined && { follow }), signal })) {
    const at = relative(folder, each.path);
    const real = await realpath(each.path).catch(() => each.path);
    if (each.error !== undefined) {
      const { path } = each;
      found.push({ path, name: at || basename(path), refused: whyUnreadable(each.error), real, link: false });
    }
    links.push(...each.links.map((name) => join(at, name)));
    for (const { name, link } of each.files) {
      const ending = extname(name).toLowerCase();
      if (VIDEO_EXTENSIONS.has(ending))
        found.push({ path: join(each.path, name), name: join(at, name), real: join(real, name), link });
      else if (LIKE_VIDEO_EXTENSIONS.has(ending)) alike.push(join(at, name));
      // Labels belong to the video beside them.
      else if (!/\.labels\.csv$/i.test(name)) others.set(ending, (others.get(ending) ?? 0) + 1);
    }
  }
  const said = [
    count([...others].map(([ending, n]) => ({ n, name: ending || "without an ending" }))),
    some(alike, "not read, though its ending is a video's", "not read, though their endings are a video's"),
    some(links, "a link to a folder (--follow enters it)", "links to folders (--follow enters them)"),
  ].filter(Boolean);
  if (said.length > 0) note?.(`${shown}: passed over: ${said.join("; ")}.`);
  return found.sort(byName);
}

async function expandGlob(pattern: string, follow: boolean): Promise<Match[]> {
  const found = await glob(pattern, {
    absolute: true,
    dot: false,
    // A link to a folder far up would have `**` search the whole disk.
    followSymbolicLinks: follow || !pattern.includes("**"),
    expandDirectories: false,
    fs: { readdir: linksAsFiles as typeof fs.readdir },
  });
  const fixed = resolve(fixedPart(pattern));
  const named = new Set(pattern.split("/"));
  const shown = found
    .map((path) => ({ path: resolve(path), name: relative(fixed, resolve(path)) }))
    .filter(
      ({ name }) => !name.split(/[\\/]/).some((part) => isHidden(part) && !part.startsWith(".") && !named.has(part)),
    );
  if (shown.length === 0) throw new PipeError(`The glob ${JSON.stringify(pattern)} matches no file.`);
  const places = await Promise.all(shown.map(async (each) => ({ ...each, ...(await placeOf(each.path)) })));
  return places.sort(byName);
}

/** The glob library leaves links to files out where it does not enter links to folders. */
function linksAsFiles(
  folder: string,
  options: { withFileTypes: true },
  done: (error: Error | null, entries?: fs.Dirent[]) => void,
): void {
  fs.readdir(folder, options, (error, entries) => {
    if (error) return done(error);
    const links = entries.filter((entry) => entry.isSymbolicLink());
    Promise.all(
      links.map(async (entry) => {
        const target = await stat(join(folder, entry.name)).catch(() => undefined);
        if (!target?.isDirectory()) Object.assign(entry, { isFile: () => true, isSymbolicLink: () => false });
      }),
    ).then(() => done(null, entries), done);
  });
}

/** The folders before the first part with a wildcard. */
function fixedPart(pattern: string): string {
  const parts = pattern.split("/");
  const first = parts.findIndex((part) => isDynamicPattern(part));
  return parts.slice(0, first).join("/") || (pattern.startsWith("/") ? "/" : ".");
}

async function placeOf(path: string): Promise<Pick<Match, "real" | "link">> {
  const link = (await lstat(path).catch(() => undefined))?.isSymbolicLink() ?? false;
  const folder = await realpath(dirname(path)).catch(() => dirname(path));
  return { real: join(folder, basename(path)), link };
}

async function look({ path, name }: Pick<Source, "path" | "name">, link: boolean): Promise<Input | Refused> {
  const refused = (reason: string): Refused => ({ path, name, refused: reason });
  try {
    const stats = await stat(path);
    const kind = kindOf(stats);
    return kind ? refused(`is ${kind}, not a regular file`) : { path, name, bytes: stats.size };
  } catch (error) {
    const gone = link && (error as NodeJS.ErrnoException).code === "ENOENT";
    return refused(gone ? "is a symbolic link to a file that is not there (not fetched?)" : whyUnreadable(error));
  }
}

/** "3 .txt, 1 .json", most first. */
function count(kinds: readonly { n: number; name: string }[]): string {
  const sorted = [...kinds].sort((a, b) => b.n - a.n || (a.name < b.name ? -1 : 1));
  const rest = sorted.slice(KINDS).reduce((sum, { n }) => sum + n, 0);
  return [...sorted.slice(0, KINDS).map(({ n, name }) => `${n} ${name}`), ...(rest > 0 ? [`${rest} others`] : [])].join(
    ", ",
  );
}

function some(names: readonly string[], one: string, many: string): string {
  if (names.length === 0) return "";
  const more = names.length > NAMES ? `, … (${names.length})` : "";
  return `${[...names].sort().slice(0, NAMES).join(", ")}${more}: ${names.length > 1 ? many : one}`;
}

const KINDS = 8;
const NAMES = 5;

function byName(a: Match, b: Match): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
