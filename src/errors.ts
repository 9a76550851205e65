/**
 * An error that is the user's to mend: where, what, and what now. Anything that is not a PipeError is a bug
 * in this project and is shown with its stack.
 */
export class PipeError extends Error {
  override readonly name = "PipeError";
  /** What to do about it, one or more lines. */
  readonly hint: string | undefined;
  /** It is wrong for every source alike, though one source showed it: a run ends with it instead of going on. */
  readonly forAll: boolean;

  constructor(message: string, options: { hint?: string; cause?: unknown; forAll?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
    this.forAll = options.forAll ?? false;
  }
}

/** What the system answered when a file was asked for, as a clause; undefined for other errors. */
function systemWords(error: Error): string | undefined {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return undefined;
  const words = SYSTEM[code];
  return words && `${words} (${code})`;
}

const SYSTEM: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "a part of its path is a file, not a folder",
  EISDIR: "it is a folder, not a file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ELOOP: "its symbolic links go in a circle",
  ENAMETOOLONG: "its name is too long",
  EMFILE: "too many files are open",
  EIO: "the disk reported an error",
};

/** What to put in a report, on one line: a PipeError's words and what to do, any other error's name and message. */
export function reasonOf(error: unknown): string {
  if (error instanceof PipeError)
    return [error.message, error.hint]
      .filter(Boolean)
      .join(" ")
      .replace(/\s*\n\s*/g, " ");
  if (error instanceof Error) return systemWords(error) ?? `${error.name}: ${error.message}`;
  return String(error);
}
