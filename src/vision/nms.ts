import { iou } from "./boxes.ts";
import type { Detection } from "./detector.ts";

/**
 * Weighted non-maximum suppression: each surviving box and its landmarks are the score-weighted mean of all candidates
 * that overlap the best one, which steadies them between frames ("blending", Bazarevsky et al., BlazeFace, 2019, §3.4).
 * The score is the best candidate's.
 *
 * @param overlap candidates with IoU above this are one subject.
 * @returns best first; equal scores keep the candidates' order.
 */
export function weightedNms(candidates: readonly Detection[], overlap: number): Detection[] {
  return suppress(candidates, overlap).map(blend);
}

/** Plain greedy non-maximum suppression: the best candidate of each overlapping group, best first. */
export function greedyNms(candidates: readonly Detection[], overlap: number): Detection[] {
  return suppress(candidates, overlap).map(([best]) => best!);
}

/** Groups of candidates, best first, each led by a candidate that no better leader overlaps. */
function suppress(candidates: readonly Detection[], overlap: number): Detection[][] {
  let rest = [...candidates].sort((a, b) => b.score - a.score);
  const groups: Detection[][] = [];
  while (rest.length > 0) {
    const leader = rest[0]!;
    const [group, others]: [Detection[], Detection[]] = [[leader], []];
    for (const other of rest.slice(1)) (iou(leader.box, other.box) > overlap ? group : others).push(other);
    groups.push(group);
    rest = others;
  }
  return groups;
}

function blend(group: readonly Detection[]): Detection {
  const best = group[0]!;
  if (group.length === 1) return best;
  const total = group.reduce((sum, { score }) => sum + score, 0);
  const mean = (value: (d: Detection) => number) => group.reduce((sum, d) => sum + d.score * value(d), 0) / total;
  return {
    score: best.score,
    box: {
      x: mean((d) => d.box.x),
      y: mean((d) => d.box.y),
      width: mean((d) => d.box.width),
      height: mean((d) => d.box.height),
    },
    landmarks: best.landmarks?.map((_, i) => mean((d) => d.landmarks![i]!)) ?? null,
  };
}
