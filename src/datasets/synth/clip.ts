import { seeded } from "../../random.ts";
import type { Box } from "../../records.ts";
import { drawBackground } from "./background.ts";
import { type Affect, expressionOf, type Pose } from "./expression.ts";
import { drawFace } from "./face.ts";
import { identityOf } from "./identity.ts";
import { blinkOf, headOf, moodOf, through } from "./motion.ts";
import type { Placement } from "./shape.ts";

/** A clip to render, as plain data: the same script gives the same pictures. Times are microseconds, lengths pixels. */
export interface ClipScript {
  readonly name: string;
  /** Decides moods, blinks and head motion; people and backgrounds have seeds of their own. */
  readonly seed: number | string;
  /** Even numbers. */
  readonly width: number;
  readonly height: number;
  /** One pts a frame, ascending. */
  readonly times: readonly number[];
  /** Ascending `start`; the first starts at or before the first frame. */
  readonly shots: readonly Shot[];
}

/** What the camera sees from `start` until the next shot's. */
export interface Shot {
  readonly start: number;
  readonly background: number | string;
  /** Drawn in this order, so the last stands in front. */
  readonly actors: readonly Actor[];
}

export interface Actor {
  /** Seed of the person; the same in another shot is the same person in the same mood. */
  readonly identity: number | string;
  /** Where the face stands, eased from mark to mark. */
  readonly path: readonly [ActorMark, ...ActorMark[]];
  /** Gone from this time on, though the shot goes on. */
  readonly until?: number;
}

export interface ActorMark extends Placement {
  readonly at: number;
}

/** What is true of one drawn face in one frame. */
export interface FaceTruth extends Affect {
  /** Name of the person. */
  readonly identity: string;
  /** The smallest box round the landmarks. */
  readonly box: Box;
  /** 68 landmarks, x0, y0, x1, y1, … (order: see `landmarksOf`). */
  readonly landmarks: Float32Array;
}

/** One frame as SVG elements without the root, with what is true of it. */
export interface DrawnFrame {
  readonly pts: number;
  /** Position of its shot in the script. */
  readonly shot: number;
  readonly background: string;
  readonly faces: string;
  readonly truth: readonly FaceTruth[];
}

/** Draws the script's frame that is shown at `pts`. */
export function drawFrame(script: ClipScript, pts: number): DrawnFrame {
  const shot = Math.max(
    0,
    script.shots.findLastIndex(({ start }) => start <= pts),
  );
  const { background, actors } = script.shots[shot]!;
  const present = actors.filter(({ until }) => until === undefined || pts < until);
  const drawn = present.map((actor, i) => {
    const { affect, blink, pose, placement } = act(script.seed, actor, pts);
    const identity = identityOf(actor.identity);
    const face = drawFace(identity, expressionOf(affect, blink), pose, placement, `f${i}`);
    const truth: FaceTruth = { identity: identity.name, ...affect, box: face.box, landmarks: face.landmarks };
    return { svg: face.svg, truth };
  });
  return {
    pts,
    shot,
    background: drawBackground(background, script.width, script.height),
    faces: drawn.map(({ svg }) => svg).join(""),
    truth: drawn.map(({ truth }) => truth),
  };
}

/** `n` timestamps of a constant rate, from 0, rounded to whole microseconds. */
export function steady(framesPerSecond: number, n: number): number[] {
  return Array.from({ length: n }, (_, i) => Math.round((i * 1e6) / framesPerSecond));
}

/** `n` timestamps from 0 whose steps vary between 15 and 80 ms, in whole milliseconds, as screen and phone recordings have. */
export function unsteady(seed: number | string, n: number): number[] {
  const random = seeded(seed).fork("times");
  const times: number[] = [];
  for (let pts = 0; times.length < n; pts += 1000 * Math.round(random.uniform(15, 80))) times.push(pts);
  return times;
}

interface Performance {
  readonly affect: Affect;
  readonly blink: number;
  readonly pose: Pose;
  readonly placement: Placement;
}

function act(seed: number | string, { identity, path }: Actor, pts: number): Performance {
  const random = seeded(`${seed}/${identity}`);
  const t = pts / 1e6;
  const affect = moodOf(random.fork("mood"))(t);
  const marks = (name: "x" | "y" | "width") => {
    const [first, ...rest] = path.map((mark) => ({ at: mark.at / 1e6, value: mark[name] }));
    return through([first!, ...rest])(t);
  };
  return {
    affect,
    blink: blinkOf(random.fork("blink"))(t),
    pose: headOf(random.fork("head"))(t, affect.arousal),
    placement: { x: marks("x"), y: marks("y"), width: marks("width") },
  };
}
