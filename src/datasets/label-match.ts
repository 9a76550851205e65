import type { Box } from "../records.ts";
import { assign } from "../vision/assign.ts";
import { iou } from "../vision/boxes.ts";
import type { Said } from "./label-at.ts";

/**
 * Whose face is whose in one frame: for each of `boxes` what is said of that person, or undefined.
 *
 * With boxes each person takes at most one face and each face at most one person; no pair overlaps by less than
 * `minOverlap` (intersection over union), and what the pairs overlap by more adds up to the most. Without them a single label goes to a single face;
 * where there are more of either, nobody knows, and no face gets one.
 *
 * @param boxes null where a row has no face
 */
export function saidOfFaces(
  boxes: readonly (Box | null)[],
  said: readonly Said[],
  minOverlap: number,
): (Said | undefined)[] {
  const found: (Said | undefined)[] = boxes.map(() => undefined);
  const faces = boxes.flatMap((box, row) => (box === null ? [] : [{ box, row }]));
  if (said.every(({ box }) => box === null)) {
    if (faces.length === 1 && said.length === 1) found[faces[0]!.row] = said[0]!;
    return found;
  }
  const costs = faces.map(({ box }) => said.map((one) => (one.box === null ? 1 : 1 - iou(box, one.box))));
  // A pair at the limit is not made, and one that overlaps by just so much is to be.
  for (const [face, one] of assign(costs, 1 - minOverlap + 1e-9)) found[faces[face]!.row] = said[one]!;
  return found;
}
