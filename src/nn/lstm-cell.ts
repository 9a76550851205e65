import * as tf from "@tensorflow/tfjs-core";

/** Hidden and cell state, each [batch, H]. */
export interface LstmState {
  readonly h: tf.Tensor2D;
  readonly c: tf.Tensor2D;
}

/** What one step leaves, for the next one and for its own gradient; all [batch, H]. */
export interface CellStep extends LstmState {
  readonly i: tf.Tensor2D;
  readonly f: tf.Tensor2D;
  readonly g: tf.Tensor2D;
  readonly o: tf.Tensor2D;
  /** tanh of the cell state that this step computed. */
  readonly squashed: tf.Tensor2D;
}

/**
 * One step of an LSTM cell, gates i, f, g, o.
 * @param projected the step's input times its weights, with both biases [batch, 4H]
 * @param weightHh [4H, H]
 * @param before state before the step; zeros if undefined, which then cost nothing
 * @param present bool [batch, 1]: where false, the state before is handed on as it is
 */
export function cellForward(
  projected: tf.Tensor2D,
  weightHh: tf.Tensor2D,
  before: LstmState | undefined,
  present?: tf.Tensor2D,
): CellStep {
  const slab = before ? tf.fused.matMul({ a: before.h, b: weightHh, transposeB: true, bias: projected }) : projected;
  const gates = tf.split(slab, 4, 1) as tf.Tensor2D[];
  const [i, f, g, o] = [tf.sigmoid(gates[0]!), tf.sigmoid(gates[1]!), tf.tanh(gates[2]!), tf.sigmoid(gates[3]!)];
  const written = tf.mul(i, g) as tf.Tensor2D;
  const c = before ? (tf.add(tf.mul(f, before.c), written) as tf.Tensor2D) : written;
  const squashed = tf.tanh(c);
  const h = tf.mul(o, squashed) as tf.Tensor2D;
  if (!present) return { i, f, g, o, h, c, squashed };
  const rest = before ?? { h: tf.zerosLike(h), c: tf.zerosLike(c) };
  return { i, f, g, o, h: tf.where(present, h, rest.h), c: tf.where(present, c, rest.c), squashed };
}

/** What {@link cellBackward} gives. */
export interface CellGradient {
  /** Of the projected input [batch, 4H]. */
  readonly slab: tf.Tensor2D;
  /** Of the state before [batch, H]; null if there was none. */
  readonly before: LstmState | null;
}

/**
 * The gradient of {@link cellForward}.
 * @param after gradient of the state after the step: from the outputs, and from the steps behind
 */
export function cellBackward(
  { i, f, g, o, squashed }: CellStep,
  weightHh: tf.Tensor2D,
  before: LstmState | undefined,
  after: LstmState,
  present?: tf.Tensor2D,
): CellGradient {
  const mul = (a: tf.Tensor2D, b: tf.Tensor2D) => tf.mul(a, b) as tf.Tensor2D;
  const add = (a: tf.Tensor2D, b: tf.Tensor2D) => tf.add(a, b) as tf.Tensor2D;
  const shares = present && { taken: tf.cast(present, "float32"), passed: tf.cast(tf.logicalNot(present), "float32") };
  const dh = shares ? mul(after.h, shares.taken) : after.h;
  const dcAfter = shares ? mul(after.c, shares.taken) : after.c;
  // σ′ = σ − σ² and tanh′ = 1 − tanh². Everything stays at one step's size, which a processor's cache holds.
  const dho = mul(dh, o);
  const dc = add(dcAfter, tf.sub(dho, mul(dho, tf.square(squashed))));
  const dcBefore = mul(dc, f);
  const di = mul(mul(dc, g), tf.sub(i, tf.square(i)));
  const df = before ? mul(mul(dcBefore, before.c), tf.sub(1, f)) : tf.zerosLike(f);
  const dg = mul(mul(dc, i), tf.sub(1, tf.square(g)));
  const dO = mul(mul(dh, squashed), tf.sub(o, tf.square(o)));
  const slab = tf.concat([di, df, dg, dO], 1) as tf.Tensor2D;
  if (!before) return { slab, before: null };
  const dhBefore = tf.matMul(slab, weightHh) as tf.Tensor2D;
  if (!shares) return { slab, before: { h: dhBefore, c: dcBefore } };
  return {
    slab,
    before: { h: add(dhBefore, mul(after.h, shares.passed)), c: add(dcBefore, mul(after.c, shares.passed)) },
  };
}

const FIELDS = ["i", "f", "g", "o", "h", "c", "squashed"] as const;

/** Steps as one list of tensors. */
export const listed = (steps: readonly CellStep[]): tf.Tensor2D[] =>
  steps.flatMap((step) => FIELDS.map((field) => step[field]));

/** The steps at the head of a list, and what follows them. */
export function stepsIn(list: readonly tf.Tensor[], time: number): { steps: CellStep[]; rest: tf.Tensor2D[] } {
  const step = (t: number) => FIELDS.map((field, k) => [field, list[t * FIELDS.length + k]] as const);
  return {
    steps: Array.from({ length: time }, (_, t) => Object.fromEntries(step(t)) as unknown as CellStep),
    rest: list.slice(time * FIELDS.length) as tf.Tensor2D[],
  };
}
