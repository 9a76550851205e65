import { copyFile, open } from "node:fs/promises";
import { join } from "node:path";

/** `n` copies of an mp4 with the same frames and different bytes: an empty box of another kind of filling ends each. */
export async function copiesOf(video: string, n: number, folder: string): Promise<string[]> {
  const paths = Array.from({ length: n }, (_, i) => join(folder, `copy-${String(i).padStart(3, "0")}.mp4`));
  for (const [i, path] of paths.entries()) {
    await copyFile(video, path);
    const file = await open(path, "r+");
    const { size } = await file.stat();
    await file.write(Buffer.from([0, 0, 0, 9, 0x66, 0x72, 0x65, 0x65, i]), 0, 9, size);
    await file.close();
  }
  return paths;
}
