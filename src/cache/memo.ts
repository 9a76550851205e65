import { appendFile, readFile, rename, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { makeFolder } from "../disk.ts";
import { TempFolder } from "./temp.ts";

interface Note {
  readonly print: string;
  readonly value: string;
}

/**
 * A notebook of what was once found out at some cost: name → (fingerprint, value). One JSON line a note, appended, so
 * that several runs may write to it at once and a crash costs one note. It is never needed: where it cannot be read or
 * written, things are found out again.
 */
export class Memo {
  readonly #path: string;
  #notes: Promise<Map<string, Note>> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The value noted under `name`, if its fingerprint is still `print`. */
  async get(name: string, print: string): Promise<string | undefined> {
    const note = (await this.#load()).get(name);
    return note?.print === print ? note.value : undefined;
  }

  async set(name: string, print: string, value: string): Promise<void> {
    const notes = await this.#load();
    const known = notes.get(name);
    if (known?.print === print && known.value === value) return;
    notes.set(name, { print, value });
    // The line break comes first: a note cut off by a crash then spoils no other.
    await quietly(async () => {
      await makeFolder(dirname(this.#path));
      await appendFile(this.#path, `\n${line(name, { print, value })}`);
    });
  }

  #load(): Promise<Map<string, Note>> {
    this.#notes ??= this.#read();
    return this.#notes;
  }

  async #read(): Promise<Map<string, Note>> {
    const notes = new Map<string, Note>();
    const text = await readFile(this.#path, "utf8").catch(() => "");
    const lines = text.split("\n").filter((one) => one !== "");
    for (const one of lines) {
      const note = parse(one);
      if (note !== undefined) notes.set(note[0], { print: note[1], value: note[2] });
    }
    if (lines.length > 2 * notes.size + SLACK) await quietly(() => this.#rewrite(notes));
    return notes;
  }

  async #rewrite(notes: Map<string, Note>): Promise<void> {
    await using temp = await TempFolder.make(dirname(this.#path));
    const fresh = join(temp.path, basename(this.#path));
    await writeFile(fresh, [...notes].map(([name, note]) => `\n${line(name, note)}`).join(""));
    await rename(fresh, this.#path);
  }
}

/** Outdated lines that are borne before the file is written anew. */
const SLACK = 100;

function line(name: string, note: Note): string {
  return JSON.stringify([name, note.print, note.value]);
}

function parse(text: string): [string, string, string] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const fits = Array.isArray(value) && value.length === 3 && value.every((part) => typeof part === "string");
    return fits ? (value as [string, string, string]) : undefined;
  } catch {
    return undefined;
  }
}

async function quietly(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch {
    // A notebook that cannot be written, e.g. in a read-only folder, only costs time.
  }
}
