/** Valence and arousal, each −1..1. */
export interface Affect {
  readonly valence: number;
  readonly arousal: number;
}

/** How the face moves. Lengths are in face units: half the width of the face at the cheekbones. */
export interface Expression {
  /** How far the mouth's corners stand above its middle; negative hangs. */
  readonly mouthCurve: number;
  /** Gap between the inner lips. */
  readonly mouthOpen: number;
  /** Half the mouth's width. */
  readonly mouthWidth: number;
  /** How far the brows rise above rest. */
  readonly browRaise: number;
  /** How far the brows' inner ends rise above the outer ones; negative frowns. */
  readonly browSlope: number;
  /** Distance between the lids. */
  readonly eyeOpen: number;
  /** How far the cheeks push up the lower lids. */
  readonly cheekRaise: number;
}

/** Radians. Yaw turns the face to the viewer's right, pitch down, roll clockwise. */
export interface Pose {
  readonly yaw: number;
  readonly pitch: number;
  readonly roll: number;
}

/**
 * The expression that shows an affect: mouth curvature rises with valence, eye and mouth opening rise with arousal
 * (each strictly, at any value of the other), displeasure pulls the brows together, upwards when calm and down when
 * aroused. `blink` 0..1 closes the eyes.
 */
export function expressionOf({ valence, arousal }: Affect, blink = 0): Expression {
  const lively = (arousal + 1) / 2;
  const pleased = Math.max(0, valence);
  const displeased = Math.max(0, -valence);
  return {
    mouthCurve: 0.2 * valence,
    mouthOpen: 0.01 + 0.08 * lively + 0.2 * lively ** 3,
    mouthWidth: 0.37 + 0.07 * valence - 0.03 * lively,
    browRaise: 0.13 * arousal - 0.04 * displeased,
    browSlope: -displeased * (0.02 + 0.15 * arousal),
    eyeOpen: (0.13 + 0.13 * lively - 0.02 * pleased) * (1 - 0.95 * blink),
    cheekRaise: 0.04 * pleased,
  };
}
