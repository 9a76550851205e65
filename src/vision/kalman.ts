/** A scalar and its rate of change, each with its uncertainty: the mean (x, v) and the covariance of a normal distribution. */
export interface Motion {
  readonly x: number;
  readonly v: number;
  readonly xx: number;
  readonly xv: number;
  readonly vv: number;
}

/**
 * Kalman filter of one scalar that moves at constant velocity (Kalman, 1960). A tracker whose noises are diagonal, as
 * in SORT and DeepSORT, falls apart into such scalars, and needs no matrices.
 */
export const motion = {
  /** At rest at `x`, with the standard deviations of place and rate. */
  start(x: number, sx: number, sv: number): Motion {
    return { x, v: 0, xx: sx * sx, xv: 0, vv: sv * sv };
  },

  /** `dt` later (≥ 0); `sx` and `sv` are the standard deviations that one unit of time adds. */
  predict({ x, v, xx, xv, vv }: Motion, dt: number, sx: number, sv: number): Motion {
    return {
      x: x + v * dt,
      v,
      xx: xx + 2 * dt * xv + dt * dt * vv + sx * sx * dt,
      xv: xv + dt * vv,
      vv: vv + sv * sv * dt,
    };
  },

  /** After measuring `z` with standard deviation `sz`. */
  correct({ x, v, xx, xv, vv }: Motion, z: number, sz: number): Motion {
    const total = xx + sz * sz;
    const [gainX, gainV] = [xx / total, xv / total];
    const surprise = z - x;
    return {
      x: x + gainX * surprise,
      v: v + gainV * surprise,
      xx: (1 - gainX) * xx,
      xv: (1 - gainX) * xv,
      vv: vv - gainV * xv,
    };
  },
};
