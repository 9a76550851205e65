import { PipeError } from "../errors.ts";

/** Numbers as a file writes them: with decimal points or, where no comma parts the cells, with decimal commas. */
export class Numbers {
  readonly #file: string;
  readonly #commas: boolean;
  #mark: { readonly sign: "point" | "comma"; readonly line: number } | undefined;

  constructor(file: string, delimiter: string) {
    this.#file = file;
    this.#commas = delimiter !== ",";
  }

  /** NaN for what is no number. */
  read(text: string, line: number): number {
    const [sign, other] = text.includes(",") ? (["comma", "point"] as const) : (["point", "comma"] as const);
    if (text === "" || (sign === "comma" && !(this.#commas && /^[-+]?\d*,\d+(e[-+]?\d+)?$/i.test(text))))
      return Number.NaN;
    const found = Number(text.replace(",", "."));
    if (!/[.,]/.test(text)) return found;
    this.#mark ??= { sign, line };
    if (this.#mark.sign === other)
      throw new PipeError(
        `${this.#file}, line ${line}: ${text} has a decimal ${sign}, and line ${this.#mark.line} a decimal ${other}.`,
        { hint: "Write all numbers of a file in one way." },
      );
    return found;
  }
}
