import { createHash } from "node:crypto";
import { openRegularFile } from "./regular-file.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** JSON with sorted keys and no undefined members: equal values give equal text, whatever order they were written in. */
export function canonical(value: Json): string {
  return JSON.stringify(value, (_key, v: unknown) =>
    v !== null && typeof v === "object" && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : v,
  );
}

/** sha256 (hex) of a value's canonical JSON, or of bytes. */
export function digestOf(value: Json | Uint8Array): string {
  const bytes = value instanceof Uint8Array ? value : canonical(value);
  return createHash("sha256").update(bytes).digest("hex");
}

/** sha256 (hex) of a file's bytes, read once in a stream. */
export async function digestFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const handle = await openRegularFile(path);
  for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 20, ...(signal && { signal }) }))
    hash.update(chunk as Buffer);
  return hash.digest("hex");
}
