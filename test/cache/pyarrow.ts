import { fileURLToPath } from "node:url";
import type { Latent } from "../../src/records.ts";
import { write } from "./helpers.ts";

/** Seven rows of exact numbers, so that every JavaScript engine writes the same bytes. */
export function exactLatents(): Latent[] {
  return Array.from({ length: 7 }, (_, i): Latent => {
    const subject = { kind: "latent" as const, index: i, pts: i * 40_000, shot: 0, shape: [2, 3] };
    if (i === 3)
      return { ...subject, status: "no_face", track: -1, box: null, score: 0, landmarks: null, z: null, q: null };
    return {
      ...subject,
      status: "ok",
      track: 0,
      box: { x: i / 4, y: -i, width: 20.5, height: 30 },
      score: 0.5 + i / 16,
      ...(i !== 4 && { presence: 1 - i / 8 }),
      landmarks: i === 1 ? null : Float32Array.of(i, i / 2),
      z: Float32Array.from({ length: 6 }, (_, k) => i + k / 8),
      q: i === 2 ? null : Float32Array.of(0.5, 0.25, 0.125, 0.125),
    };
  });
}

/** Writes the entries that pyarrow.json tells of: three shards each, in `<folder>/<dtype>`. */
export async function writeExact(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [dtype, bytes] of [
    ["float16", 2],
    ["float32", 4],
    ["uint8", 1],
  ] as const) {
    const shardBytes = (1 << 18) + 2 * 6 * bytes;
    found[dtype] = (await write(`${folder}/${dtype}`, exactLatents(), { dtype, shardBytes })).path;
  }
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(JSON.stringify(await writeExact(process.argv[2]!)));
