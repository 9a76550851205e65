import { type Random, seeded } from "../../random.ts";
import { drawTracks, type Rate, type Tracks } from "./affect-tracks.ts";
import { drawBackground } from "./background.ts";
import { creases } from "./creases.ts";
import type { Pose } from "./expression.ts";
import { type DrawnFace, drawFace } from "./face.ts";
import { type Identity, identityOf } from "./identity.ts";
import { type Light, lightOf } from "./light.ts";
import { type Curve, headOf, wander } from "./motion.ts";
import { type Occluder, type OccluderName, occludersOf } from "./occluder.ts";
import type { Placement } from "./shape.ts";
import { blinksOf, showing, soft } from "./showing.ts";

/** What decides a clip of one face; equal plans give equal pictures. */
export interface FaceClipPlan {
  /** Decides everything but the person. */
  readonly seed: string;
  /** Seed of the person: looks and face at rest. */
  readonly actor: string;
  readonly frames: number;
  readonly rate: Rate;
  /** Pixels, even numbers. */
  readonly width: number;
  readonly height: number;
  /** The face's width at the cheekbones, pixels: drawn from this interval for each clip. */
  readonly faceWidth: readonly [low: number, high: number];
}

/** A clip of one face, ready to be drawn frame by frame in any order. */
export interface FaceClip {
  readonly plan: FaceClipPlan;
  readonly tracks: Tracks;
  readonly light: Light;
  /** 0..1, how hard the pictures are compressed: writers make JPEG quality or an x264 rate factor of it. */
  readonly compression: number;
  /** SVG elements of what stands behind. */
  readonly background: string;
  draw(frame: number): DrawnFrame;
}

export interface DrawnFrame {
  /** SVG elements: the face and what passes in front of it. */
  readonly svg: string;
  /** 68 landmarks, x0, y0, x1, y1, … in pixels of the frame; true also where they are covered. */
  readonly landmarks: Float32Array;
  readonly pose: Pose;
  /** 0..1. */
  readonly blink: number;
  /** What passes in front, and how many of the 68 landmarks it covers. */
  readonly occluder: OccluderName | null;
  readonly covered: number;
}

export function faceClip(plan: FaceClipPlan): FaceClip {
  const random = seeded(plan.seed);
  const identity = identityOf(plan.actor);
  const tracks = drawTracks(plan.seed, plan.actor, plan.frames, plan.rate);
  const blinks = blinksOf(random.fork("blink"), tracks, plan.rate);
  const head = headOf(random.fork("head"));
  const place = placing(random.fork("place"), plan);
  const occluders = passing(random.fork("occlusion"), identity, plan);
  return {
    plan,
    tracks,
    light: lightOf(random.fork("light")),
    compression: random.fork("compression").next(),
    background: drawBackground(`${plan.seed}/background`, plan.width, plan.height),
    draw(frame) {
      const seconds = frame / plan.rate;
      const placement = place(seconds);
      const pose = head(seconds, soft(tracks.arousal.level[frame]!));
      const expression = showing(tracks, frame, blinks[frame]);
      const face = drawFace(identity, expression, pose, placement);
      const drawn = { ...face, svg: face.svg + creases(identity, expression, face) };
      return { ...occluded(drawn, occluders, seconds, placement), pose, blink: blinks[frame]! };
    },
  };
}

/** Two clips in five have something passing over the face. */
const OCCLUDED = 0.4;

function passing(random: Random, identity: Identity, { frames, rate }: FaceClipPlan): Occluder[] {
  return random.next() < OCCLUDED ? occludersOf(random, identity, frames / rate) : [];
}

function occluded(face: DrawnFace, occluders: readonly Occluder[], seconds: number, placement: Placement) {
  const { landmarks } = face;
  for (const { name, at } of occluders) {
    const cover = at(seconds, placement);
    if (cover === null) continue;
    let covered = 0;
    for (let i = 0; i < landmarks.length; i += 2) if (cover.covers(landmarks[i]!, landmarks[i + 1]!)) covered++;
    return { svg: face.svg + cover.svg, landmarks, occluder: name, covered };
  }
  return { svg: face.svg, landmarks, occluder: null, covered: 0 };
}

/** Near the middle, drifting, with the whole face inside the frame. */
function placing(random: Random, { width, height, faceWidth }: FaceClipPlan): (seconds: number) => Placement {
  const size = random.uniform(...faceWidth);
  const [x, y] = [width / 2 + random.uniform(-0.04, 0.04) * width, height * random.uniform(0.47, 0.5)];
  const [sideways, upwards, nearer]: Curve[] = ["x", "y", "size"].map((name) => wander(random.fork(name), 1.5));
  return (seconds) => ({
    x: x + 0.03 * width * sideways!(seconds),
    y: y + 0.015 * height * upwards!(seconds),
    width: size * (1 + 0.03 * nearer!(seconds)),
  });
}
