import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../shared/media", import.meta.url));

/** Real videos, photos and models for tests; they are not part of the project. */
export const hasMedia = existsSync(root);

if (!hasMedia) console.warn("Real media are absent (../shared/media): tests that need them are skipped.");

/** Absolute path of a real media file, e.g. `media("videos", "pyfeat_single_face.mp4")`. */
export const media = (...path: string[]): string => join(root, ...path);
