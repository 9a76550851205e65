import { PipeError } from "./errors.ts";
import { STATUSES, type Status } from "./records.ts";

export interface Counts {
  /** Video packets read that should each give a frame. */
  demuxed: number;
  decoded: number;
  /** Packets that gave no frame. */
  failed: number;
  sampled: number;
  /** Decoded frames that the sampling passed over. */
  skipped: number;
  /** Subjects beyond the first in a frame: a frame with three faces adds two. */
  extra: number;
  rows: Record<Status, number>;
}

/**
 * Double-entry book of one task. Whoever decodes writes demuxed…skipped, whoever finds subjects writes `extra`,
 * whoever keeps or drops rows writes `rows`; nobody derives one from another, so a lost record shows as a difference.
 */
export class Ledger {
  readonly counts: Counts = {
    demuxed: 0,
    decoded: 0,
    failed: 0,
    sampled: 0,
    skipped: 0,
    extra: 0,
    rows: Object.fromEntries(STATUSES.map((status) => [status, 0])) as Record<Status, number>,
  };

  add(name: Exclude<keyof Counts, "rows">, n = 1): void {
    this.counts[name] += n;
  }

  row(status: Status): void {
    this.counts.rows[status] += 1;
  }

  /** Throws a PipeError that shows both sides of the first equation that does not hold. */
  check(): void {
    const c = this.counts;
    const rows = Object.values(c.rows).reduce((sum, n) => sum + n, 0);
    balance("demuxed", c.demuxed, "decoded + failed", c.decoded + c.failed);
    balance("decoded", c.decoded, "sampled + skipped", c.sampled + c.skipped);
    balance("sampled + extra", c.sampled + c.extra, "rows", rows);
  }
}

function balance(left: string, a: number, right: string, b: number): void {
  if (a !== b) throw new PipeError(`The ledger does not balance: ${left} = ${a}, but ${right} = ${b}.`);
}
