import sharp from "sharp";
import type { FaceStore } from "./face-store.ts";

/** The faces of a store by clip and frame number, as pictures and landmarks for reports. */
export interface FaceLookup {
  /** `data:image/png;base64,…` of `side` × `side` pixels for each frame that there is a face of. */
  pictures(clip: string, frames: Iterable<number>, side: number): Promise<Map<number, string>>;
  /** x0, y0, x1, y1, … in pixels of the whole frame; null where there is no face. */
  landmarks(clip: string, frame: number): Float64Array | null;
}

/** The store must stay open while pictures are asked for. */
export function faceLookup(store: FaceStore): FaceLookup {
  const rows = new Map<string, number>();
  for (let row = 0; row < store.count; row++)
    rows.set(nameOf(store.clips[store.clipOf[row]!]!.id, store.frameOf[row]!), row);
  return {
    async pictures(clip, frames, side) {
      const pictures = new Map<number, string>();
      const pixels = new Uint8Array(store.side * store.side * 3);
      for (const frame of frames) {
        const row = rows.get(nameOf(clip, frame));
        if (row === undefined) continue;
        await store.read([row], pixels);
        const raw = { width: store.side, height: store.side, channels: 3 } as const;
        const png = await sharp(pixels, { raw }).resize(side, side).png({ palette: true }).toBuffer();
        pictures.set(frame, `data:image/png;base64,${png.toString("base64")}`);
      }
      return pictures;
    },
    landmarks(clip, frame) {
      const row = rows.get(nameOf(clip, frame));
      if (row === undefined) return null;
      const own = store.landmarks.subarray(row * store.points * 2, (row + 1) * store.points * 2);
      const [x, y, width, height] = store.box.subarray(row * 4, row * 4 + 4) as unknown as [
        number,
        number,
        number,
        number,
      ];
      // The crop was stretched to a square: its own pixels would show boxes that change as movement.
      return Float64Array.from(own, (value, k) =>
        k % 2 === 0 ? x + (value * width) / store.side : y + (value * height) / store.side,
      );
    },
  };
}

const nameOf = (clip: string, frame: number) => `${frame} ${clip}`;
