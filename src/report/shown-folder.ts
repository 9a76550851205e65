import { relative } from "node:path";

/** A folder as a reader finds it: from the working folder, where it lies below. */
export function shownFolder(folder: string): string {
  const path = relative(process.cwd(), folder);
  return path === "" || path.startsWith("..") ? folder : path;
}
