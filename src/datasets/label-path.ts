import { lstat, readdir, stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { distance } from "fastest-levenshtein";
import { PipeError } from "../errors.ts";
import { VIDEO_EXTENSIONS } from "../media/formats.ts";

/** Where the labels of a video are looked for: `clip.labels.csv` beside `clip.mp4`. */
export function labelFileOf(video: string): string {
  return `${video.slice(0, video.length - extname(video).length)}${ENDING}`;
}

const ENDING = ".labels.csv";

/**
 * The label file beside a video; undefined where there is none. What is named exactly as {@link labelFileOf} says goes
 * before all else. Otherwise neither the Unicode form of the name (é in one character or two) nor the case of
 * `.labels.csv` matters. The case of the name does: `Clip.mp4` and `clip.mp4` may be two videos.
 *
 * @throws PipeError where two files are the video's by this rule
 */
export async function findLabelFile(video: string): Promise<string | undefined> {
  const exact = labelFileOf(video);
  // What is there but cannot be read is for the reader to say.
  const missing = await lstat(exact).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === "ENOENT" || error.code === "ENOTDIR",
  );
  if (!missing) return exact;
  const wanted = keyOf(basename(exact));
  const found = (await namesIn(dirname(video))).filter((name) => keyOf(name) === wanted);
  if (found.length > 1)
    throw new PipeError(`${basename(video)} has ${found.length} label files: ${found.join(", ")}.`, {
      hint: `Keep one of them, as ${basename(exact)}`,
    });
  return found.length === 0 ? undefined : join(dirname(video), found[0]!);
}

/** A sentence for each label file in the folder of a video that belongs to no file there. */
export async function strayLabelFiles(video: string): Promise<string[]> {
  const folder = dirname(video);
  const names = await namesIn(folder);
  const labels = names.filter(isLabelFile);
  if (labels.length === 0) return [];
  const others = names.filter((name) => !isLabelFile(name));
  const wanted = new Set(others.map((name) => keyOf(labelFileOf(name))));
  const given = new Set(labels.map(keyOf));
  const bare = others.filter(
    (name) => VIDEO_EXTENSIONS.has(extname(name).toLowerCase()) && !given.has(keyOf(labelFileOf(name))),
  );
  return labels
    .filter((name) => !wanted.has(keyOf(name)))
    .map((name) => {
      const meant = nearest(name, bare);
      const hint = meant === undefined ? "" : ` Is it for ${meant}? Then name it ${labelFileOf(meant)}`;
      return `${join(folder, name)} belongs to no video: no file beside it is named ${stemOf(name)}.${hint}`;
    });
}

const isLabelFile = (name: string): boolean => name.toLowerCase().endsWith(ENDING);
const stemOf = (name: string): string => name.slice(0, -ENDING.length);
const keyOf = (name: string): string => (isLabelFile(name) ? `${stemOf(name)}${ENDING}` : name).normalize("NFC");

/** The video whose name is most like that of a label file, if it is alike at all. */
function nearest(labels: string, videos: readonly string[]): string | undefined {
  const plain = (name: string): string => name.normalize("NFC").toLowerCase();
  const stem = plain(stemOf(labels));
  const most = Math.max(1, Math.min(3, Math.floor(stem.length / 2)));
  return videos
    .map((name) => ({ name, far: distance(stem, plain(name.slice(0, -extname(name).length))) }))
    .filter(({ far }) => far <= most)
    .sort((a, b) => a.far - b.far)[0]?.name;
}

const listings = new Map<string, { readonly changed: number; readonly names: readonly string[] }>();
/** A folder that has not changed for so long is not listed again, milliseconds: clocks of disks are coarse. */
const SETTLED = 2000;

/** Names in a folder, sorted; a folder of ten thousand videos without labels is listed once. */
async function namesIn(folder: string): Promise<readonly string[]> {
  const changed = (await stat(folder).catch(() => undefined))?.mtimeMs ?? Number.NaN;
  const known = listings.get(folder);
  if (known?.changed === changed) return known.names;
  const names = (await readdir(folder).catch(() => [])).sort();
  if (Date.now() - changed > SETTLED) listings.set(folder, { changed, names });
  return names;
}
