/**
 * The landmarks in a text of numbers: the last 136 (68 points) where it has as many, else the last 98 (49 points), else
 * null. What stands before them (pose angles, eye centres, a `.pts` header) and what is no number is passed over, but
 * a NaN counts as a number, so that it spoils the landmarks it stands in.
 *
 * @returns x0, y0, x1, y1, …
 */
export function landmarksIn(text: string): number[] | null {
  const numbers: number[] = [];
  for (const word of text.split(/[\s,;{}]+/)) {
    if (/^[+-]?(?:nan|inf|infinity)$/i.test(word)) numbers.push(Number.NaN);
    else if (word !== "" && Number.isFinite(Number(word))) numbers.push(Number(word));
  }
  if (numbers.length >= 2 * 68) return numbers.slice(-2 * 68);
  return numbers.length >= 2 * 49 ? numbers.slice(-2 * 49) : null;
}
