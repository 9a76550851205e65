import type { Random } from "../../random.ts";
import type { Affect, Pose } from "./expression.ts";

/** A number over time in seconds; smooth, defined for all times. */
export type Curve = (seconds: number) => number;

/** One value at one time. */
export interface Mark {
  readonly at: number;
  readonly value: number;
}

/** Eases from mark to mark (ascending `at`), resting at each; constant before the first and after the last. */
export function through(marks: readonly [Mark, ...Mark[]]): Curve {
  return (t) => {
    const next = marks.findIndex((mark) => mark.at > t);
    if (next === 0) return marks[0].value;
    if (next < 0) return marks.at(-1)!.value;
    const [from, to] = [marks[next - 1]!, marks[next]!];
    return from.value + (to.value - from.value) * ease((t - from.at) / (to.at - from.at));
  };
}

/** Wanders within −1..1, to a new random value every `seconds`. */
export function wander(random: Random, seconds: number): Curve {
  const knot = (k: number) => random.fork(String(k)).uniform(-1, 1);
  const offset = random.fork("offset").next();
  return (t) => {
    const position = t / seconds + offset;
    const k = Math.floor(position);
    const from = knot(k);
    return from + (knot(k + 1) - from) * ease(position - k);
  };
}

/** Valence and arousal of one person over time: valence swings slower than arousal, both over most of −1..1. */
export function moodOf(random: Random): (seconds: number) => Affect {
  const valence = wander(random.fork("valence"), 1.6);
  const arousal = wander(random.fork("arousal"), 1.1);
  return (t) => ({ valence: valence(t), arousal: arousal(t) });
}

/** How closed the lids are, 0..1: one blink of a quarter of a second in each slot of three seconds. */
export function blinkOf(random: Random): Curve {
  const [slot, half] = [3, 0.125];
  return (t) => {
    const k = Math.floor(t / slot);
    const middle = k * slot + random.fork(String(k)).uniform(0.3, slot - 0.3);
    return ease(Math.max(0, 1 - Math.abs(t - middle) / half));
  };
}

/** How the head turns; livelier with arousal. At most 0.3 rad of yaw, 0.1 of pitch and of roll. */
export function headOf(random: Random): (seconds: number, arousal: number) => Pose {
  const yaw = wander(random.fork("yaw"), 0.9);
  const pitch = wander(random.fork("pitch"), 0.7);
  const roll = wander(random.fork("roll"), 1.2);
  return (t, arousal) => {
    const lively = 0.7 + 0.3 * arousal;
    return { yaw: 0.3 * lively * yaw(t), pitch: 0.1 * lively * pitch(t), roll: 0.1 * lively * roll(t) };
  };
}

/** Smoothstep on 0..1. */
function ease(share: number): number {
  return share * share * (3 - 2 * share);
}
