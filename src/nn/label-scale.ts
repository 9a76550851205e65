/** Lowest and highest label in native units. */
type Interval = readonly [low: number, high: number];

/** A label in native units, scaled to −1..1: the range's ends become −1 and 1, its middle 0. */
export function toUnit(label: number, [low, high]: Interval): number {
  return (2 * (label - low)) / (high - low) - 1;
}

/** The way back: from −1..1 to native units. Predictions outside −1..1 come to lie outside the range. */
export function toNative(unit: number, [low, high]: Interval): number {
  return low + ((unit + 1) / 2) * (high - low);
}
