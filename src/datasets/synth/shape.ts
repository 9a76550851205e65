import type { Expression, Pose } from "./expression.ts";
import type { Identity } from "./identity.ts";

/** Face units, half the width of the face at the cheekbones: x right, y down, z towards the viewer. */
export type Point3 = readonly [x: number, y: number, z: number];
/** Pixels of the frame. */
export type Point = readonly [x: number, y: number];

/** Where a face stands in the frame, pixels. */
export interface Placement {
  /** Position of the face's origin, between the eyes and the tip of the nose. */
  readonly x: number;
  readonly y: number;
  /** Width of the face at the cheekbones. */
  readonly width: number;
}

/**
 * The 68 landmarks of a face in front view, in the order of the 300-W mark-up (Sagonas et al. 2013): 0–16 jaw from the
 * viewer's left ear to the right one, 17–21 and 22–26 brows, 27–30 nose bridge, 31–35 nose base, 36–41 and 42–47 eyes,
 * 48–59 outer lips, 60–67 inner lips.
 */
export function landmarksOf(identity: Identity, expression: Expression): Point3[] {
  return [
    ...jaw(identity, expression),
    ...brow(identity, expression, -1),
    ...brow(identity, expression, 1).reverse(),
    ...nose(identity),
    ...eye(identity, expression, -1),
    ...eye(identity, expression, 1),
    ...mouth(identity, expression),
  ];
}

/** Turns the head about the middle of its neck joint, then puts it into the frame by parallel projection. */
export function projector(pose: Pose, placement: Placement): (point: Point3) => Point {
  const [sinYaw, cosYaw] = [Math.sin(pose.yaw), Math.cos(pose.yaw)];
  const [sinPitch, cosPitch] = [Math.sin(pose.pitch), Math.cos(pose.pitch)];
  const [sinRoll, cosRoll] = [Math.sin(pose.roll), Math.cos(pose.roll)];
  const scale = placement.width / 2;
  return ([x, y, z]) => {
    const turned = x * cosYaw + z * sinYaw;
    const depth = z * cosYaw - x * sinYaw;
    const nodded = y * cosPitch + depth * sinPitch;
    return [
      placement.x + scale * (turned * cosRoll - nodded * sinRoll),
      placement.y + scale * (turned * sinRoll + nodded * cosRoll),
    ];
  };
}

/** Height of the base of the nose below the face's origin. */
export const noseBase = (identity: Identity): number => identity.noseLength + 0.1;

/** Where the eyes stand: sideways from the middle, above the origin. */
export const EYE_Y = -0.16;

type Side = -1 | 1;

function jaw(identity: Identity, expression: Expression): Point3[] {
  const chin = identity.chin + 0.5 * expression.mouthOpen;
  return Array.from({ length: 17 }, (_, i) => {
    const angle = (Math.PI * i) / 16;
    const down = Math.sin(angle);
    const narrowing = 1 + (identity.jaw - 1) * Math.sin(Math.min(1, 1.3 * down) * (Math.PI / 2));
    return [-Math.cos(angle) * narrowing, EYE_Y + 0.04 + (chin - EYE_Y - 0.04) * down, 0.5 * down];
  });
}

function brow(identity: Identity, expression: Expression, side: Side): Point3[] {
  return Array.from({ length: 5 }, (_, k) => {
    const inwards = k / 4;
    const x = side * (identity.eyeSpacing + 0.29 - 0.54 * inwards);
    const arch = 0.09 * Math.sin(Math.PI * (0.12 + 0.8 * inwards));
    const rise = arch + expression.browRaise + expression.browSlope * (inwards - 0.4);
    return [x, EYE_Y - 0.27 - rise, 0.45 + 0.2 * inwards];
  });
}

function nose(identity: Identity): Point3[] {
  const tip = identity.noseLength;
  const bridge = [0, 1, 2, 3].map((k): Point3 => {
    const down = k / 3;
    return [0, EYE_Y + (tip - EYE_Y) * down, 0.7 + 0.35 * down];
  });
  const base = [-1, -0.5, 0, 0.5, 1].map(
    (across): Point3 => [
      across * identity.noseWidth,
      noseBase(identity) + 0.03 - 0.06 * across ** 2,
      0.85 - 0.15 * across ** 2,
    ],
  );
  return [...bridge, ...base];
}

/** From the corner at the viewer's left along the upper lid and back along the lower one. */
function eye(identity: Identity, expression: Expression, side: Side): Point3[] {
  const centre = side * identity.eyeSpacing;
  const half = identity.eyeWidth;
  const upper = 0.62 * expression.eyeOpen;
  const lower = 0.38 * expression.eyeOpen - expression.cheekRaise * Math.min(1, expression.eyeOpen / 0.2);
  const at = (across: number, y: number): Point3 => [centre + across * half, EYE_Y + y, 0.6 - 0.12 * side * across];
  const outerTilt = (across: number) => -0.02 * side * across;
  return [
    at(-1, outerTilt(-1)),
    at(-0.4, -upper),
    at(0.4, -upper),
    at(1, outerTilt(1)),
    at(0.4, Math.max(lower, -upper + 0.004)),
    at(-0.4, Math.max(lower, -upper + 0.004)),
  ];
}

function mouth(identity: Identity, expression: Expression): Point3[] {
  const base = noseBase(identity);
  const middle = base + 0.36 * (identity.chin - base);
  const { mouthWidth, mouthCurve, mouthOpen } = expression;
  const full = identity.lipFullness;
  const line = (across: number) => middle + mouthCurve * (0.3 - across ** 2);
  const at = (across: number, offset: number): Point3 => [
    across * mouthWidth,
    line(across) + offset,
    0.8 - 0.22 * across ** 2,
  ];
  const upper = (across: number) => -full * Math.sqrt(1 - across ** 2) * (across === 0 ? 0.82 : 1);
  const gap = (across: number) => mouthOpen * Math.sqrt(1 - across ** 2);
  const lower = (across: number) => gap(across) + 1.25 * full * Math.sqrt(1 - across ** 2);
  return [
    at(-1, 0),
    ...[-0.62, -0.25, 0, 0.25, 0.62].map((a) => at(a, upper(a))),
    at(1, 0),
    ...[0.66, 0.3, 0, -0.3, -0.66].map((a) => at(a, lower(a))),
    at(-0.88, 0.004),
    ...[-0.4, 0, 0.4].map((a) => at(a, 0)),
    at(0.88, 0.004),
    ...[0.4, 0, -0.4].map((a) => at(a, gap(a))),
  ];
}
