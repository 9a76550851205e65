import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { PipeError } from "../errors.ts";
import { CONTAINERS } from "./formats.ts";

/**
 * The error of a file that no container reader opens: what its own bytes tell, else what the reader says.
 *
 * @param why the reader's words, as a clause
 */
export function notAVideo(path: string, why: string, cause?: unknown): PipeError {
  const wrong = whatIsWrong(path);
  return new PipeError(`${path}: cannot be opened as a video: ${wrong?.why ?? why}.`, {
    hint:
      wrong?.hint ??
      `Known containers: ${CONTAINERS.join(", ")}. A playlist is not one of them; name the video itself.`,
    cause,
  });
}

interface Wrong {
  readonly why: string;
  readonly hint: string;
}

function whatIsWrong(path: string): Wrong | undefined {
  let fd: number | undefined;
  try {
    // O_NONBLOCK: what took the file's place since may be a FIFO.
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stats = fstatSync(fd);
    return stats.isFile() ? wrongIn(fd, stats.size) : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function wrongIn(fd: number, bytes: number): Wrong | undefined {
  const head = at(fd, 0, 16);
  const photo = PHOTOS.find(([, isOne]) => isOne(head));
  if (photo)
    return { why: `it is a photo (${photo[0]})`, hint: "Only videos are read: leave photos out of the input." };
  if (!lacksMoov(fd, bytes)) return undefined;
  return {
    why: "it is cut off: its index (moov) was never written",
    hint: "The recording or the copy ended too soon. Copy it again; a recorder's own repair, or a tool such as untrunc, may save it.",
  };
}

const PHOTOS: readonly (readonly [name: string, isOne: (head: Buffer) => boolean])[] = [
  ["JPEG", (head) => head.readUIntBE(0, 3) === 0xffd8ff],
  ["PNG", (head) => head.toString("latin1", 1, 4) === "PNG"],
  ["GIF", (head) => head.toString("latin1", 0, 4) === "GIF8"],
  ["WebP", (head) => head.toString("latin1", 0, 4) === "RIFF" && head.toString("latin1", 8, 12) === "WEBP"],
  ["TIFF", (head) => ["II*\0", "MM\0*"].includes(head.toString("latin1", 0, 4))],
  ["BMP", (head) => head.toString("latin1", 0, 2) === "BM" && head.readUInt32LE(6) === 0],
  ["HEIF", (head) => /^ftyp(hei[cx]|mif1|avif)$/.test(head.toString("latin1", 4, 12))],
];

/** ISO/IEC 14496-12: boxes of a 32-bit size and a type; size 1: a 64-bit size follows; size 0: up to the file's end. */
function lacksMoov(fd: number, bytes: number): boolean {
  let begins = false;
  let from = 0;
  for (let n = 0; n < MOST && from + 8 <= bytes; n++) {
    const head = at(fd, from, 16);
    const type = head.toString("latin1", 4, 8);
    if (!BOXES.has(type)) return begins;
    if (type === "moov") return false;
    begins = true;
    const short = head.readUInt32BE(0);
    const size = short === 1 ? Number(head.readBigUInt64BE(8)) : short;
    if (size < 8) return true;
    from += size;
  }
  return begins;
}

const BOXES = new Set(["ftyp", "free", "skip", "wide", "mdat", "moov", "moof", "mfra", "uuid", "meta", "sidx", "styp"]);
/** Boxes that are looked at: fragments make many. */
const MOST = 10_000;

/** Bytes at a place; zeros where the file has ended. */
function at(fd: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  readSync(fd, buffer, 0, length, position);
  return buffer;
}
