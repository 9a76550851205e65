import * as tf from "@tensorflow/tfjs-core";
import { PipeError } from "../errors.ts";
import { withGradient } from "./gradient.ts";
import { apart, flagsOf, type LstmWeights, statesBefore, together } from "./lstm.ts";
import { type CellStep, cellBackward, cellForward, type LstmState, listed, stepsIn } from "./lstm-cell.ts";

export interface AttentiveLstmOptions {
  /** False: the context is always zeros, and neither the scores' weights nor the context's columns have a gradient. Default true. */
  readonly attend?: boolean;
  /** bool [batch, time]: a step that is not present hands the state on unchanged, and is never attended to. */
  readonly present?: tf.Tensor2D | undefined;
}

export interface AttentiveLstmOutput {
  /** h after each step [batch, time, H]. */
  readonly h: tf.Tensor3D;
  /** S = [h; c] after each step [batch, time, 2H]. Carries no gradient. */
  readonly states: tf.Tensor3D;
  /**
   * attention[b, t, i], how much of state i the context of step t holds [batch, time, time]: 0 unless i < t, rows sum to
   * 1 where a step before t is present. Carries no gradient. Null if it does not attend.
   */
  readonly attention: tf.Tensor3D | null;
}

/**
 * An LSTM that attends to its own former states (ANCLaF §3.3, eqs. 5–7): with S_t = [h_t; c_t], step t reads
 * [x_t; ctx_t], ctx_t = Σ a_ti S_i over i < t, a_t = softmax of e_i = score · [S_{t−1}; S_i] + bias; ctx is zeros before
 * there is a state. x [batch, time, features], weight_ih_l0 [4H, features + 2H], score [1, 4H].
 *
 * In that softmax the query's half of the score and the bias cancel, so that e_i depends on S_i alone: each state is
 * scored once, the dead half's gradient is exactly 0, and the context is a running average,
 *   ctx_{t+1} = (1 − p) ctx_t + p S_t,  p = σ(e_t − L_t),  L_{t+1} = log(exp L_t + exp e_t),
 * which makes the whole linear in time. The gradient runs the same recurrence backwards.
 */
export function attentiveLstm(
  x: tf.Tensor3D,
  weights: LstmWeights,
  score: tf.Tensor2D,
  { attend = true, present }: AttentiveLstmOptions = {},
): AttentiveLstmOutput {
  const [batch, time, features] = x.shape;
  if (time === 0) throw new PipeError("An LSTM was given a sequence of no steps.", { hint: "It needs at least one." });
  const { weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 } = weights;
  const units = weight_hh_l0.shape[1];
  const width = 2 * units;
  const rows = batch * time;
  const attends = attend && time > 1;
  const columns = (weight: tf.Tensor2D) => tf.split(weight, [features, width], 1) as [tf.Tensor2D, tf.Tensor2D];
  const keyIn = (score: tf.Tensor2D) => tf.slice(score, [0, width], [1, width]) as tf.Tensor2D;

  const [h, states, scores, levels] = withGradient(
    { x, weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, score },
    (keep) => {
      const [own, ofContext] = columns(weight_ih_l0);
      const key = keyIn(score);
      const bias = tf.add(bias_ih_l0, bias_hh_l0);
      const projected = tf.fused.matMul({ a: tf.reshape(x, [rows, features]), b: own, transposeB: true, bias });
      const flags = flagsOf(present);
      const steps: CellStep[] = [];
      const states: tf.Tensor2D[] = [];
      const folds: Fold[] = [];
      for (const [t, slab] of apart(tf.reshape(projected, [batch, time, 4 * units])).entries()) {
        const a = folds.at(-1)?.context;
        const whole = a ? tf.fused.matMul({ a, b: ofContext, transposeB: true, bias: slab }) : slab;
        const step = cellForward(whole as tf.Tensor2D, weight_hh_l0, steps.at(-1), flags[t]);
        steps.push(step);
        states.push(tf.concat([step.h, step.c], 1));
        if (attends && t < time - 1) folds.push(fold(folds.at(-1), states[t]!, key, flags[t]));
      }
      keep([...listed(steps), ...folds.flatMap(({ context, share, rest }) => [context, share, rest]), ...flags]);
      const none = tf.zeros<tf.Rank.R2>([batch, 1]);
      return [
        together(steps.map((step) => step.h)),
        together(states),
        // The last state is scored for nobody, and the first step has no level.
        attends ? tf.concat([...folds.map(({ score }) => score), none], 1) : none,
        attends ? tf.concat([none, ...folds.map(({ level }) => level)], 1) : none,
      ] as const;
    },
    ([dh], { x, weight_ih_l0, weight_hh_l0, score }, kept) => {
      const { steps, rest } = stepsIn(kept, time);
      const folds = foldsIn(rest, attends ? time - 1 : 0);
      const flags = rest.slice(3 * folds.length);
      const [own, ofContext] = columns(weight_ih_l0);
      const key = keyIn(score);
      const above = apart(dh);
      const slabs = new Array<tf.Tensor2D>(time);
      const dScores: tf.Tensor2D[] = [];
      let after: LstmState | null = null;
      // What later contexts ask of a state, in units of its share; and of that, what the softmax takes back.
      let asked: { vector: tf.Tensor2D; number: tf.Tensor2D } | null = null;
      for (let t = time - 1; t >= 0; t--) {
        const { h, c } = steps[t]!;
        const gradients: LstmState[] = after ? [after] : [];
        if (asked) {
          const { share } = folds[t]!;
          const along = tf.sum(tf.mul(asked.vector, tf.concat([h, c], 1)), 1, true);
          const dScore = tf.mul(share, tf.sub(along, asked.number)) as tf.Tensor2D;
          dScores.unshift(dScore);
          const dState = tf.add(tf.mul(asked.vector, share), tf.mul(dScore, key));
          const [partH, partC] = tf.split(dState, 2, 1) as [tf.Tensor2D, tf.Tensor2D];
          gradients.push({ h: partH, c: partC });
        }
        const total = {
          h: [above[t]!, ...gradients.map((part) => part.h)].reduce((a, b) => tf.add(a, b)),
          c: gradients.length > 0 ? gradients.map((part) => part.c).reduce((a, b) => tf.add(a, b)) : tf.zerosLike(c),
        };
        const { slab, before } = cellBackward(steps[t]!, weight_hh_l0, steps[t - 1], total, flags[t]);
        slabs[t] = slab;
        after = before;
        if (!attends || t === 0) continue;
        const dContext = tf.matMul(slab, ofContext) as tf.Tensor2D;
        const back = tf.sum(tf.mul(dContext, folds[t - 1]!.context), 1, true);
        const rest = folds[t]?.rest;
        asked =
          asked && rest
            ? {
                vector: tf.add(dContext, tf.mul(asked.vector, rest)),
                number: tf.add(back, tf.mul(asked.number, rest)),
              }
            : { vector: dContext, number: back as tf.Tensor2D };
      }
      const slab = tf.reshape(together(slabs), [rows, 4 * units]) as tf.Tensor2D;
      const bias = tf.sum(slab, 0);
      const contexts = () => together([tf.zeros([batch, width]), ...folds.map(({ context }) => context)]);
      return {
        x: () => tf.reshape(tf.matMul(slab, own), x.shape),
        weight_ih_l0: () => {
          if (attends)
            return tf.matMul(slab, tf.reshape(tf.concat([x, contexts()], 2), [rows, features + width]), true);
          const live = tf.matMul(slab, tf.reshape(x, [rows, features]), true);
          return tf.concat([live, tf.zeros([4 * units, width])], 1);
        },
        weight_hh_l0: () => tf.matMul(slab, tf.reshape(together(statesBefore(steps, undefined)), [rows, units]), true),
        bias_ih_l0: () => tf.clone(bias),
        bias_hh_l0: () => tf.clone(bias),
        score: () => {
          if (!attends) return tf.zerosLike(score);
          const scored = steps.slice(0, -1).map(({ h, c }) => tf.concat([h, c], 1));
          const flat = tf.reshape(together(scored), [rows - batch, width]);
          const dKey = tf.matMul(tf.reshape(tf.stack(dScores, 1), [rows - batch, 1]), flat, true);
          return tf.concat([tf.zeros([1, width]), dKey], 1);
        },
      };
    },
  );
  if (!attend) return { h, states, attention: null };
  return { h, states, attention: attends ? triangle(scores, levels, present) : tf.zeros([batch, 1, 1]) };
}

/** The running average after a state was folded into it. Numbers are [batch, 1]. */
interface Fold {
  /** The next step's context [batch, 2H]. */
  readonly context: tf.Tensor2D;
  /** The state's share in it, and what is left to the context before. */
  readonly share: tf.Tensor2D;
  readonly rest: tf.Tensor2D;
  readonly score: tf.Tensor2D;
  /** log Σ exp of the scores so far. */
  readonly level: tf.Tensor2D;
}

/** Stands for log 0 and stays finite in sums and differences. */
const NOTHING = -1e30;

function fold(before: Fold | undefined, state: tf.Tensor2D, key: tf.Tensor2D, present: tf.Tensor2D | undefined): Fold {
  const score = tf.matMul(state, key, false, true) as tf.Tensor2D;
  const flag = present && (tf.cast(present, "float32") as tf.Tensor2D);
  if (!before) {
    const share = flag ?? tf.onesLike(score);
    const level = present ? tf.where(present, score, tf.fill(score.shape, NOTHING)) : score;
    // A first step that is not present has left a state of zeros.
    return { context: state, share, rest: tf.sub(1, share), score, level };
  }
  const above = tf.sub(score, before.level);
  const gained = tf.sigmoid(above) as tf.Tensor2D;
  const left = tf.sigmoid(tf.neg(above)) as tf.Tensor2D;
  const share = flag ? (tf.mul(gained, flag) as tf.Tensor2D) : gained;
  const rest = present ? tf.where(present, left, tf.onesLike(left)) : left;
  const sum = tf.add(tf.maximum(score, before.level), tf.softplus(tf.neg(tf.abs(above)))) as tf.Tensor2D;
  const level = present ? tf.where(present, sum, before.level) : sum;
  const context = tf.add(tf.mul(before.context, rest), tf.mul(state, share)) as tf.Tensor2D;
  return { context, share, rest, score, level };
}

const foldsIn = (kept: readonly tf.Tensor2D[], count: number): Pick<Fold, "context" | "share" | "rest">[] =>
  Array.from({ length: count }, (_, t) => {
    const [context, share, rest] = kept.slice(3 * t) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
    return { context, share, rest };
  });

/** All weights at once: exp(score of i − level before t), for i < t. Scores and levels [batch, time]. */
function triangle(scores: tf.Tensor2D, levels: tf.Tensor2D, present: tf.Tensor2D | undefined): tf.Tensor3D {
  const [batch, time] = scores.shape;
  const earlier = Float32Array.from({ length: time * time }, (_, k) => (k % time < Math.floor(k / time) ? 1 : 0));
  const counts = tf.tensor3d(earlier, [1, time, time]);
  const valid = present ? tf.mul(counts, tf.reshape(tf.cast(present, "float32"), [batch, 1, time])) : counts;
  // No score that counts is above the level; the others must not overflow.
  const exponent = tf.sub(tf.reshape(scores, [batch, 1, time]), tf.reshape(levels, [batch, time, 1]));
  return tf.mul(tf.exp(tf.minimum(exponent, 0)), valid);
}
