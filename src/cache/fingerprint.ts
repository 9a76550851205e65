import type { BigIntStats } from "node:fs";

/**
 * What changes when somebody writes to a file, without reading it: size, modification and change time (ns), inode.
 * The change time cannot be set back, so copying over a file and restoring its dates does not fool it.
 */
export function fingerprint(stats: BigIntStats): string {
  return `${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}:${stats.ino}`;
}

/**
 * False while a second write could still fall into the same tick of the file system's clock and leave the
 * fingerprint as it was.
 */
export function isSettled(stats: BigIntStats): boolean {
  return Date.now() - Number(stats.ctimeMs) > TICK_MS;
}

// Kernel ticks are up to 10 ms; network file systems round to 1 s, FAT to 2 s.
const TICK_MS = 2_000;
