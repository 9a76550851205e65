import type { Random } from "../../random.ts";
import type { Tracks } from "./affect-tracks.ts";
import type { Expression } from "./expression.ts";

/**
 * The expression that shows frame `i` of a clip's tracks: valence's level pulls the mouth's corners up and widens it,
 * its carrier opens the mouth; arousal's level raises brows and upper lids, its carrier slants the brows (inner ends
 * up). Each of the four rises strictly and saturates softly, so nothing that a track holds is lost in the picture.
 * `blink` 0..1 closes the eyes.
 *
 * In a 128 × 128 crop a face unit is about 50 pixels: one standard deviation of a carrier is about 3 pixels, and
 * carriers move by about 0.7 standard deviations in 20 ms.
 */
export function showing({ valence, arousal }: Tracks, i: number, blink = 0): Expression {
  const pleased = soft(valence.level[i]!);
  const lively = soft(arousal.level[i]!);
  return {
    mouthCurve: 0.27 * pleased,
    mouthWidth: 0.37 + 0.08 * pleased,
    mouthOpen: 0.32 / (1 + Math.exp(0.6 - 0.8 * valence.carrier[i]!)),
    cheekRaise: 0.02 * (1 + pleased),
    browRaise: 0.12 * lively,
    browSlope: 0.2 * Math.tanh(0.4 * arousal.carrier[i]!),
    eyeOpen: (0.205 + 0.075 * lively) * (1 - 0.95 * blink),
  };
}

/**
 * How closed the lids are, 0..1, a value a frame. A blink comes every 5 s on the calmest face and every 2 s on the
 * liveliest, by chance, and is quicker there: what decides is what the face shows, so blinks tell no more than it.
 */
export function blinksOf(random: Random, { arousal }: Tracks, rate: number): Float64Array {
  const frames = arousal.level.length;
  const closed = new Float64Array(frames);
  let waiting = -Math.log(1 - random.next());
  for (let i = 0; i < frames; i++) {
    const lively = (1 + soft(arousal.level[i]!)) / 2;
    waiting -= (0.2 + 0.3 * lively) / rate;
    if (waiting > 0) continue;
    const half = 0.16 - 0.06 * lively;
    for (let j = i; j < frames && j < i + 2 * half * rate; j++)
      closed[j] = Math.max(closed[j]!, 1 - Math.abs((j - i) / rate / half - 1));
    waiting = -Math.log(1 - random.next());
  }
  return closed.map((share) => share * share * (3 - 2 * share));
}

/** What is shown, on the scale of g, as −1..1. */
export const soft = (level: number): number => Math.tanh(0.75 * level);
