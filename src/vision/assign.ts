import { munkres } from "munkres";

/**
 * Pairs rows with columns at the least total cost, each used at most once, where leaving a row and a column alone
 * costs `limit` together: a pair that costs `limit` or more is never made (Kuhn, The Hungarian method, 1955; the limit
 * as in ByteTrack's use of it).
 *
 * @param costs costs[row][column], finite.
 * @returns pairs [row, column], by row.
 */
export function assign(costs: readonly (readonly number[])[], limit: number): [row: number, column: number][] {
  if (costs.length === 0 || costs[0]!.length === 0) return [];
  const capped = costs.map((row) => row.map((cost) => Math.min(cost, limit)));
  return munkres(capped)
    .filter(([row, column]) => capped[row]![column]! < limit)
    .sort((a, b) => a[0] - b[0]);
}
