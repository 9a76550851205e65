import type { Ledger } from "../ledger.ts";

/**
 * Checks a ledger before its rows are published. Where nobody counted frames, as in a stream fed by hand, only rows are
 * known and there is nothing to compare.
 *
 * @throws PipeError that shows both sides of the first equation that does not hold
 */
export function checkBalance(ledger: Ledger): void {
  const { demuxed, decoded, failed, sampled, skipped, extra } = ledger.counts;
  if (demuxed + decoded + failed + sampled + skipped + extra > 0) ledger.check();
}
