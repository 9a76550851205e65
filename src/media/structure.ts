import type { FileHandle } from "node:fs/promises";

/**
 * How many bytes the container's outermost structure promises beyond the end of the file: a cheap and exact sign
 * that a file was cut short, found by reading a few headers. Knows MP4/MOV boxes (ISO 14496-12), Matroska/WebM segments
 * (RFC 8794) and RIFF (AVI); 0 for any other.
 */
export async function missingBytes(file: FileHandle, bytes: number): Promise<number> {
  const head = await at(file, 0, 64);
  if (head.length < 12) return 0;
  if (head.readUInt32BE(0) === 0x1a45dfa3) return matroska(head, bytes);
  if (head.toString("latin1", 0, 4) === "RIFF") return Math.max(0, 8 + head.readUInt32LE(4) - bytes);
  if (/^(ftyp|moov|mdat|free|skip|wide)$/.test(head.toString("latin1", 4, 8))) return boxes(file, bytes);
  return 0;
}

async function boxes(file: FileHandle, bytes: number): Promise<number> {
  let position = 0;
  while (position + 8 <= bytes) {
    const head = await at(file, position, 16);
    let size = head.readUInt32BE(0);
    if (size === 0) return 0;
    if (size === 1 && head.length === 16) size = Number(head.readBigUInt64BE(8));
    // What follows the last whole box may be padding that is no box at all.
    if (size < 8 || !/^[\x20-\x7e\xa9]{4}$/.test(head.toString("latin1", 4, 8))) return 0;
    position += size;
  }
  return Math.max(0, position - bytes);
}

function matroska(head: Buffer, bytes: number): number {
  const header = vint(head, 4);
  if (!header || header.value === undefined) return 0;
  const segment = header.next + header.value;
  if (segment + 12 > head.length || head.readUInt32BE(segment) !== 0x18538067) return 0;
  const size = vint(head, segment + 4);
  return size?.value === undefined ? 0 : Math.max(0, size.next + size.value - bytes);
}

/** An EBML length; `value` is undefined where all its bits are one, i.e. the length is unknown. */
function vint(data: Buffer, position: number): { value: number | undefined; next: number } | undefined {
  const first = data[position] ?? 0;
  const length = Math.clz32(first) - 23;
  if (length > 8 || position + length > data.length) return undefined;
  let value = BigInt(first & (0xff >> length));
  for (let k = 1; k < length; k++) value = (value << 8n) | BigInt(data[position + k]!);
  const unknown = value === (1n << BigInt(7 * length)) - 1n;
  return { value: unknown ? undefined : Number(value), next: position + length };
}

async function at(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
