import type { Compiled, OnnxModel, Value } from "../compile/index.ts";
import type { Image } from "../records.ts";

const LARGEST = 16;

/**
 * Runs a network over any number of equally large images in batches of 16, 8, 4, 2 and 1, so that at most five
 * graphs are ever compiled and no image is computed twice. Batches of one call queue up together.
 *
 * @param input the name of the network's input, shape [batch, …].
 * @param pack images → one feed.
 * @returns for each image its slice of every output, in order.
 */
export async function runInBatches(
  model: Pick<Compiled | OnnxModel, "run">,
  input: string,
  images: readonly Image[],
  pack: (images: readonly Image[]) => Value = packBytes,
): Promise<Record<string, Float32Array>[]> {
  const runs: Promise<Record<string, Float32Array>[]>[] = [];
  for (let start = 0; start < images.length; ) {
    let size = LARGEST;
    while (size > images.length - start) size /= 2;
    const batch = images.slice(start, start + size);
    runs.push(model.run({ [input]: pack(batch) }).then((outputs) => unpack(outputs, batch.length)));
    start += size;
  }
  return (await Promise.all(runs)).flat();
}

/** Interleaved bytes, shape [batch, height, width, 3]. */
function packBytes(images: readonly Image[]): Value {
  const { width, height } = images[0]!;
  const data = new Uint8Array(images.length * width * height * 3);
  images.forEach((image, i) => {
    data.set(image.data, i * width * height * 3);
  });
  return { data, shape: [images.length, height, width, 3] };
}

function unpack(outputs: Record<string, Value>, batch: number): Record<string, Float32Array>[] {
  return Array.from({ length: batch }, (_, i) =>
    Object.fromEntries(
      Object.entries(outputs).map(([name, { data }]) => {
        const size = data.length / batch;
        return [name, data.subarray(i * size, (i + 1) * size) as Float32Array];
      }),
    ),
  );
}
