import { type FileHandle, open, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { diskError, makeFolder, syncFolder, writeAll } from "../disk.ts";
import { TempFolder } from "./temp.ts";

/**
 * A text file (UTF-8) that appears whole or not at all: written in a temp folder beside, renamed by `publish`.
 * Disposing before `publish` removes it. A failing disk gives a PipeError that names path and cause.
 */
export class TextFile implements AsyncDisposable {
  /** Where it will be. */
  readonly path: string;
  readonly #temp: TempFolder;
  readonly #handle: FileHandle;
  #waiting: string[] = [];
  #waitingLength = 0;
  #bytes = 0;
  #open = true;

  private constructor(path: string, temp: TempFolder, handle: FileHandle) {
    this.path = path;
    this.#temp = temp;
    this.#handle = handle;
  }

  static async open(path: string): Promise<TextFile> {
    const temp = await TempFolder.make(dirname(path));
    try {
      return new TextFile(path, temp, await open(join(temp.path, basename(path)), "wx"));
    } catch (error) {
      await temp[Symbol.asyncDispose]();
      throw diskError(error, path);
    }
  }

  async write(text: string): Promise<void> {
    this.#waiting.push(text);
    this.#waitingLength += text.length;
    if (this.#waitingLength >= CHUNK) await this.#flush();
  }

  /** Makes the file durable and puts it into its place, over an older one; its size in bytes. */
  async publish(): Promise<number> {
    await this.#flush();
    try {
      await this.#handle.sync();
      await this.#close();
      await makeFolder(dirname(this.path));
      await rename(join(this.#temp.path, basename(this.path)), this.path);
      await syncFolder(dirname(this.path));
    } catch (error) {
      throw diskError(error, this.path);
    }
    await this.#temp[Symbol.asyncDispose]();
    return this.#bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    await this.#temp[Symbol.asyncDispose]();
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#waiting.join(""));
    this.#waiting = [];
    this.#waitingLength = 0;
    try {
      await writeAll(this.#handle, [bytes], this.#bytes);
    } catch (error) {
      throw diskError(error, this.path);
    }
    this.#bytes += bytes.byteLength;
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#handle.close();
  }
}

const CHUNK = 1 << 16;
