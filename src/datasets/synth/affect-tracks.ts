import { type Random, seeded } from "../../random.ts";
import { DIMENSIONS, type Dimension, type DimensionModel, labelOf, MODEL, swaying } from "./affect-model.ts";

/** One dimension of one clip, a value a frame; `label` −1..1, the rest on the scale of g (`affect-model.ts`). */
export interface Track {
  readonly label: Float64Array;
  /** What the face shows: the level and its carrier. */
  readonly level: Float64Array;
  readonly carrier: Float64Array;
}

export type Tracks = Readonly<Record<Dimension, Track>>;

/** Frames per second that the model's step of 10 ms can give. */
export const RATES = [10, 20, 25, 50, 100] as const;
export type Rate = (typeof RATES)[number];

/**
 * Draws one clip of `frames` frames from the model. The clip's seed decides everything but `rest`, which is the
 * actor's. A longer clip begins with the frames of a shorter one, and a slower one has the felt affect of a faster one.
 */
export function drawTracks(clip: number | string, actor: number | string, frames: number, rate: Rate): Tracks {
  const track = (dimension: Dimension) =>
    drawTrack(
      MODEL[dimension],
      seeded(clip).fork("tracks").fork(dimension),
      seeded(actor).fork("rest").fork(dimension),
      frames,
      rate,
    );
  return { [DIMENSIONS[0]]: track(DIMENSIONS[0]), [DIMENSIONS[1]]: track(DIMENSIONS[1]) } as Tracks;
}

function drawTrack(model: DimensionModel, clip: Random, actor: Random, frames: number, rate: Rate): Track {
  const stride = STEPS_PER_SECOND / rate;
  const late = Math.round(model.lag * STEPS_PER_SECOND);
  const mood = model.mood * clip.fork("mood").normal();
  const mask = model.mask * clip.fork("mask").normal();
  const rest = model.rest * actor.normal();
  const swings = swing(clip.fork("swing"), model.pace);
  const turns = oscillator(clip.fork("rhythm"), model);
  const tremor = clip.fork("tremor");

  // The felt affect begins `late` steps before the first frame, so that the face has something to follow.
  const felt = Float64Array.from({ length: late + 1 + stride * (frames - 1) }, () => mood + model.swing * swings());
  const [label, level, carrier] = [new Float64Array(frames), new Float64Array(frames), new Float64Array(frames)];
  for (let i = 0; i < frames; i++) {
    const step = stride * i;
    label[i] = labelOf(felt[step + late]!);
    if (i > 0) for (let k = 1; k < stride; k++) turns();
    const [r, c] = turns();
    level[i] = felt[step]! + rest + mask + model.rhythm * r + model.tremor.level * tremor.normal();
    carrier[i] = c + model.tremor.carrier * tremor.normal();
  }
  return { label, level, carrier };
}

const STEPS_PER_SECOND = 100;
const STEP = 1 / STEPS_PER_SECOND;

/** Unit variance, correlation (1 + λτ)·e^(−λτ): value and speed, moved on by their exact transition. */
function swing(random: Random, pace: number): () => number {
  const fall = Math.exp(-pace * STEP);
  const turn = pace * STEP;
  // Variances and covariance of what a step adds: P − F·P·Fᵀ with P = diag(1, λ²).
  const value = 1 - fall ** 2 * ((1 + turn) ** 2 + turn ** 2);
  const both = fall ** 2 * pace * turn * (1 + turn - (1 - turn));
  const speed = pace ** 2 * (1 - fall ** 2 * (turn ** 2 + (1 - turn) ** 2));
  const next = noise(value, both, speed);
  let [x, v] = [random.normal(), pace * random.normal()];
  let started = false;
  return () => {
    if (started) {
      const [toX, toV] = next(random);
      [x, v] = [fall * ((1 + turn) * x + STEP * v) + toX, fall * ((1 - turn) * v - pace * turn * x) + toV];
    }
    started = true;
    return x;
  };
}

/** Rhythm and carrier: a damped oscillator of unit variance and its speed, moved on by their exact transition. */
function oscillator(random: Random, model: DimensionModel): () => readonly [rhythm: number, carrier: number] {
  const { fall, cos, sin } = swaying(model, STEP);
  const turn = 2 * Math.PI * model.hertz * sin;
  const [keepC, keepR] = [fall * (cos + model.fading * sin), fall * (cos - model.fading * sin)];
  const give = fall * turn;
  const next = noise(1 - keepC ** 2 - give ** 2, give * (keepC - keepR), 1 - keepR ** 2 - give ** 2);
  let [c, r] = [random.normal(), random.normal()];
  let started = false;
  return () => {
    if (started) {
      const [toC, toR] = next(random);
      [c, r] = [keepC * c + give * r + toC, keepR * r - give * c + toR];
    }
    started = true;
    return [r, c];
  };
}

/** Pairs of normal numbers with these variances and this covariance. */
function noise(first: number, both: number, second: number): (random: Random) => readonly [number, number] {
  const own = Math.sqrt(first);
  const shared = both / own;
  const rest = Math.sqrt(second - shared ** 2);
  return (random) => {
    const [a, b] = [random.normal(), random.normal()];
    return [own * a, shared * a + rest * b];
  };
}
