/**
 * The quadrant of a valence and an arousal (ANCLaF, §3.1): 0 V+A+, 1 V−A+, 2 V−A−, 3 V+A−, where + is at or above
 * `middle`, the centre of the label range.
 */
export function quadrantOf(valence: number, arousal: number, middle = 0): 0 | 1 | 2 | 3 {
  if (arousal >= middle) return valence >= middle ? 0 : 1;
  return valence >= middle ? 3 : 2;
}
