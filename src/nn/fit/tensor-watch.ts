/** Lines in a row that must all show more tensors than the one before. */
const GROWING = 8;

/** Notices tensors that somebody does not free: their number grows from line to line, and memory ends hours later. */
export class TensorWatch {
  #counts: number[] = [];

  /** Takes the number of tensors at a line of the log; gives a warning, or null. */
  look(tensors: number): string | null {
    this.#counts.push(tensors);
    if (this.#counts.length < GROWING) return null;
    const grows = this.#counts.every((count, i) => i === 0 || count > this.#counts[i - 1]!);
    this.#counts = [];
    return grows
      ? `The number of tensors rises with each line of the log, to ${tensors} now: something does not dispose its own.`
      : null;
  }
}
