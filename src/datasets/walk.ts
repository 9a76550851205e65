import { PipeError } from "../errors.ts";
import { whyUnreadable } from "../media/open.ts";
import { walk as walkFolder } from "../media/walk.ts";

/** A folder of a dataset with the names of its files, sorted. */
export interface Folder {
  readonly path: string;
  readonly files: readonly string[];
  /** Names of links that lead nowhere, as those of a DataLad data set whose contents were not fetched. */
  readonly absent: readonly string[];
}

/**
 * The folder and all below it, links followed, as {@link walkFolder} does: hidden names and trash are left out. `enter` says which
 * sub-folders to go into.
 *
 * @throws PipeError when the folder is not there or one cannot be read
 */
export async function* walk(
  path: string,
  options: { enter?: (name: string) => boolean; signal?: AbortSignal } = {},
): AsyncGenerator<Folder, void, void> {
  for await (const { path: at, files, error } of walkFolder(path, { ...options, follow: true })) {
    if (error !== undefined) {
      const why = (error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such folder" : whyUnreadable(error);
      throw new PipeError(`${at}: ${why}.`, { hint: "Give the folder that holds the dataset.", cause: error });
    }
    const names = (regular: boolean): string[] =>
      files.filter((file) => file.regular === regular && (regular || file.link)).map(({ name }) => name);
    yield { path: at, files: names(true), absent: names(false) };
  }
}
