import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { digestFile } from "../digest.ts";
import { fingerprint, isSettled } from "./fingerprint.ts";
import { Memo } from "./memo.ts";

/**
 * sha256 of source files, each read once as long as its size, times and inode stay. A touched file is read again,
 * and its digest is what it was. Kept in `<output>/.digests.jsonl`.
 */
export class DigestMemo {
  readonly #memo: Memo;

  constructor(output: string) {
    this.#memo = new Memo(join(output, ".digests.jsonl"));
  }

  /** sha256 (hex) of the file's bytes. Rejects as node:fs does where it cannot be read, or when `signal` aborts. */
  async digest(path: string, signal?: AbortSignal): Promise<string> {
    const name = resolve(path);
    const before = await stat(name, { bigint: true });
    const known = await this.#memo.get(name, fingerprint(before));
    if (known !== undefined && /^[0-9a-f]{64}$/.test(known)) return known;
    const digest = await digestFile(name, signal);
    const after = await stat(name, { bigint: true });
    if (fingerprint(after) === fingerprint(before) && isSettled(after))
      await this.#memo.set(name, fingerprint(after), digest);
    return digest;
  }
}
