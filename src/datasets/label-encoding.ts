import { isUtf8 } from "node:buffer";
import { PipeError } from "../errors.ts";

/**
 * The text of a label file: UTF-8, or UTF-16 in either byte order, with a byte order mark or without. Other encodings look
 * alike, and their letters would be guessed: they are refused.
 *
 * @throws PipeError that names the encoding, or the line that is in another one
 */
export function textOf(file: string, bytes: Uint8Array): string {
  const utf16 = utf16In(bytes);
  const text = utf16 === undefined ? utf8Of(file, bytes) : utf16Of(file, bytes, utf16);
  if (text.includes("\0"))
    throw new PipeError(`${file} is not text: there are zero bytes in it.`, {
      hint: "Save it as CSV in UTF-8.",
    });
  return text;
}

/** By its byte order mark, or by the zeros in the header, which is ASCII. */
function utf16In(bytes: Uint8Array): "utf-16le" | "utf-16be" | undefined {
  const [a, b, c, d] = bytes;
  if (a === 0xff && b === 0xfe) return c === 0 && d === 0 ? undefined : "utf-16le";
  if (a === 0xfe && b === 0xff) return "utf-16be";
  if (bytes.length < HEADER || bytes.length % 2 === 1) return undefined;
  const zeros = (from: number): boolean => [...Array(HEADER / 2).keys()].every((i) => bytes[2 * i + from] === 0);
  if (zeros(1) && !zeros(0)) return "utf-16le";
  return zeros(0) && !zeros(1) ? "utf-16be" : undefined;
}

/** Bytes of the shortest header in UTF-16, `frame,valence`, and then some. */
const HEADER = 26;

function utf16Of(file: string, bytes: Uint8Array, encoding: "utf-16le" | "utf-16be"): string {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new PipeError(`This file is UTF-16, and not whole: ${file}.`, { hint: "Save it as CSV in UTF-8.", cause });
  }
}

function utf8Of(file: string, bytes: Uint8Array): string {
  if (isUtf8(bytes)) return new TextDecoder().decode(bytes);
  let line = 1;
  for (let from = 0; from < bytes.length; line++) {
    const end = bytes.indexOf(10, from);
    const one = bytes.subarray(from, end < 0 ? bytes.length : end);
    if (!isUtf8(one)) {
      const shown = new TextDecoder("windows-1252").decode(one).trim().slice(0, 60);
      throw new PipeError(
        `${file}, line ${line}: this file is not UTF-8. In Windows-1252 the line would be ${JSON.stringify(shown)}.`,
        { hint: 'Save it as UTF-8: Excel names that "CSV UTF-8".' },
      );
    }
    from += one.length + 1;
  }
  throw new Error(`${file}: no line of it is other than UTF-8`);
}
