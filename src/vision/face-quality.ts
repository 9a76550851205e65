import type { Box, FaceQuality, Image } from "../records.ts";

/** How well a face can be seen, from where it was found and the crop that was cut. */
export function faceQuality(box: Box, landmarks: ArrayLike<number> | null, crop: Image): FaceQuality {
  return { size: Math.min(box.width, box.height), blur: blurOf(crop), yaw: landmarks && yawOf(landmarks) };
}

/**
 * Variance of the Laplacian (4 neighbours, inner pixels) of the brightness 0..255, Rec. 601 (Pech-Pacheco et al., Diatom
 * autofocusing in brightfield microscopy, 2000). 0 where there are no inner pixels.
 */
export function blurOf({ width, height, data }: Image): number {
  const light = new Float32Array(width * height);
  for (let i = 0; i < light.length; i++)
    light[i] = 0.299 * data[i * 3]! + 0.587 * data[i * 3 + 1]! + 0.114 * data[i * 3 + 2]!;
  let [sum, squares, n] = [0, 0, 0];
  for (let y = 1; y < height - 1; y++)
    for (let x = 1, i = y * width + 1; x < width - 1; x++, i++) {
      const value = light[i - width]! + light[i + width]! + light[i - 1]! + light[i + 1]! - 4 * light[i]!;
      sum += value;
      squares += value * value;
      n += 1;
    }
  return n === 0 ? 0 : Math.max(0, squares / n - (sum / n) ** 2);
}

/**
 * An estimate of how far a face is turned aside, degrees: positive to the image's right. In a head seen from afar, whose
 * nose tip stands out from the plane of the eyes by {@link NOSE} of their distance, turning by ψ shortens the eyes'
 * distance by cos ψ and moves the nose along it by NOSE · sin ψ; so tan ψ is the quotient of the two by NOSE. Leaning
 * does not matter, nodding does little; beyond about 60° detectors do not see both eyes.
 *
 * @param landmarks x0, y0, …: 68 points (iBUG 300-W), or a detector's, whose first three are the eye on the image's left
 *   (the person's right), the other eye and the nose tip. Null for other counts, and where both eyes are one point.
 */
export function yawOf(landmarks: ArrayLike<number>): number | null {
  const points = landmarks.length / 2;
  if (points !== 68 && points !== 5 && points !== 6) return null;
  const at = (from: number, to = from + 1): Point => {
    const n = to - from;
    const sum = (axis: number) => {
      let total = 0;
      for (let i = from; i < to; i++) total += landmarks[i * 2 + axis]!;
      return total / n;
    };
    return [sum(0), sum(1)];
  };
  const [left, right, nose] = points === 68 ? [at(36, 42), at(42, 48), at(30)] : [at(0), at(1), at(2)];
  const axis = [right[0] - left[0], right[1] - left[1]] as const;
  const squared = axis[0] ** 2 + axis[1] ** 2;
  if (!(squared > 0)) return null;
  const middle = [(left[0] + right[0]) / 2, (left[1] + right[1]) / 2] as const;
  const along = ((nose[0] - middle[0]) * axis[0] + (nose[1] - middle[1]) * axis[1]) / squared;
  return (Math.atan(along / NOSE) * 180) / Math.PI;
}

type Point = readonly [x: number, y: number];

/**
 * How far the nose tip stands out from the eyes' plane, in distances of the eyes' centres: 27 mm by 63 mm, the depth of
 * the head models that pose estimation uses and the mean pupillary distance of adults (Dodgson, 2004).
 */
const NOSE = 27 / 63;
