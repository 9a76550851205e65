import { availableParallelism } from "node:os";

/** Set for a process that shares the machine with others of the same run: how many cores are its own. */
export const CORES_VARIABLE = "AFFECT_PIPE_CORES";

/** Cores that this process is to use. */
export function cores(): number {
  const given = Number(process.env[CORES_VARIABLE]);
  return Number.isInteger(given) && given > 0 ? given : availableParallelism();
}
