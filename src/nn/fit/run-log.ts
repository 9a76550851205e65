import { type FileHandle, open } from "node:fs/promises";
import type { Json } from "../../digest.ts";
import { PipeError } from "../../errors.ts";

/** A file of JSON lines that is cut back to where a checkpoint knows it, so that a resumed run writes the same bytes. */
export class RunLog implements AsyncDisposable {
  readonly #handle: FileHandle;
  #bytes: number;

  private constructor(handle: FileHandle, bytes: number) {
    this.#handle = handle;
    this.#bytes = bytes;
  }

  /**
   * Opens the file with its first `bytes` bytes kept, or all of its whole lines. Throws a PipeError when it has fewer.
   */
  static async open(path: string, bytes: number | "all"): Promise<RunLog> {
    // Not "w+": that would empty it. Not "a+": that would ignore positions.
    const handle = await open(path, "r+").catch(() => open(path, "wx+"));
    try {
      const { size } = await handle.stat();
      if (bytes === "all") {
        // What was being written when the process was killed has no end.
        const lines = (await handle.readFile()).lastIndexOf("\n") + 1;
        await handle.truncate(lines);
        return new RunLog(handle, lines);
      }
      if (size < bytes)
        throw new PipeError(`${path} has ${size} bytes, but the checkpoint was written after ${bytes}.`, {
          hint: "Put the log back, or train into another folder.",
        });
      await handle.truncate(bytes);
      return new RunLog(handle, bytes);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  async write(line: Json): Promise<void> {
    const text = Buffer.from(`${JSON.stringify(line)}\n`);
    for (let done = 0; done < text.length; )
      done += (await this.#handle.write(text, done, text.length - done, this.#bytes + done)).bytesWritten;
    this.#bytes += text.length;
  }

  /** Makes what was written durable: a checkpoint that counts these bytes may follow. */
  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
