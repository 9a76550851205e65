import { expect, test } from "vitest";
import { openEntry } from "../../src/cache/entry.ts";
import { folder, readAll, tree } from "./helpers.ts";
import facts from "./pyarrow.json" with { type: "json" };
import { writeExact } from "./pyarrow.ts";

// The facts were read by pyarrow (pyarrow.py says how) from these very bytes: when the bytes change, ask it again.

test("pyarrow finds the rows and latents that we read, in the same bytes", async () => {
  await using output = await folder();
  for (const [dtype, path] of Object.entries(await writeExact(output.path))) {
    const found = facts[dtype as keyof typeof facts];
    const { "marker.json": _marker, ...files } = await tree(path);
    expect(files).toEqual(found.sha256);
    const { rows } = await readAll(path);
    expect(
      rows.map(({ box, presence, landmarks, q, ...row }) => ({
        ...row,
        face_presence: presence ?? null,
        box_x: box?.x ?? null,
        box_y: box?.y ?? null,
        box_width: box?.width ?? null,
        box_height: box?.height ?? null,
        landmarks: landmarks && [...landmarks],
        q: q && [...q],
      })),
    ).toEqual(found.rows);

    using entry = await openEntry(path);
    const z = new Float32Array(entry.length * entry.size);
    entry.readZ(0, entry.length, z);
    const theirs = found.z.map((row, i) => {
      const { scale, offset } = found.metadata[Math.floor(i / 2)] as { scale?: string; offset?: string };
      if (scale === undefined || offset === undefined) return row;
      const [scales, offsets] = [JSON.parse(scale) as number[], JSON.parse(offset) as number[]];
      return row.map((code, k) => Math.fround(offsets[Math.floor(k / 3)]! + scales[Math.floor(k / 3)]! * code));
    });
    expect([...z]).toEqual(theirs.flat());
  }
});
