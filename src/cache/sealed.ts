import { basename } from "node:path";
import { z } from "zod";
import { canonical, digestOf, type Json } from "../digest.ts";
import { reasonOf } from "../errors.ts";
import { readRegularFile } from "../regular-file.ts";

/**
 * A value as JSON text with its own sha256 in it, so that an edit shows. Members are in order: the same value gives the
 * same bytes.
 */
export function sealed(value: { readonly [name: string]: Json | undefined }): string {
  return `${JSON.stringify(JSON.parse(canonical({ ...value, sha256: digestOf(value) })), null, 2)}\n`;
}

export interface Expected<T> {
  readonly schema: z.ZodType<T>;
  /** The newest `format` that can be read. */
  readonly format: number;
  /** The value's `kind` where it has one, and what such a file belongs to, in words. */
  readonly kind?: { readonly name: string; readonly words: string };
  /** What a missing file means, in words. */
  readonly missing?: string;
}

/** What a sealed file says, or what is wrong with it in words. */
export async function readSealed<T>(path: string, expected: Expected<T>): Promise<T | { problem: string }> {
  const { schema, format, kind, missing } = expected;
  const name = basename(path);
  let value: unknown;
  try {
    value = JSON.parse((await readRegularFile(path)).toString());
  } catch (error) {
    if (error instanceof SyntaxError) return { problem: `${name} is not JSON` };
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      return { problem: `${name} cannot be read: ${reasonOf(error)}` };
    return { problem: `${name} is missing${missing === undefined ? "" : `: ${missing}`}` };
  }
  if (value === null || typeof value !== "object") return { problem: `${name} is not a marker` };
  const { sha256, ...rest } = value as Record<string, Json>;
  if (kind && rest.kind !== kind.name) return { problem: `${name} is not that of ${kind.words}` };
  if (typeof rest.format === "number" && rest.format > format)
    return { problem: `${name} has format ${rest.format}, newer than this affect-pipe reads (${format})` };
  if (sha256 !== digestOf(rest)) return { problem: `${name} was changed after it was written` };
  const parsed = schema.safeParse(rest);
  if (!parsed.success) return { problem: `${name} lacks what a marker says: ${z.prettifyError(parsed.error)}` };
  return parsed.data;
}
