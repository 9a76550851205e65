import * as tf from "@tensorflow/tfjs-core";
import { PipeError } from "../../errors.ts";
import type { Parameters } from "../parameters.ts";
import type { Remember } from "./types.ts";

/** What a phase's losses give parameters that it does not train: running statistics. */
export class Memory {
  readonly #phase: string;
  readonly #parts: Readonly<Record<string, Parameters>>;
  readonly #values = new Map<string, tf.Tensor>();

  /** @param parts those that the phase does not train */
  constructor(phase: string, parts: Readonly<Record<string, Parameters>>) {
    this.#phase = phase;
    this.#parts = parts;
  }

  /** Throws a PipeError when no such part has the parameter, or when its shape would change. */
  readonly remember: Remember = (name, update) => {
    const start = Object.values(this.#parts).find((parameters) => parameters.has(name));
    if (!start)
      throw new PipeError(`The phase "${this.#phase}" remembers "${name}", which no part has that it does not train.`, {
        hint: "Running statistics need a part of their own, which no phase trains.",
      });
    const before = this.#values.get(name) ?? start.get(name)!;
    const after = update(before);
    if (after.shape.join() !== before.shape.join())
      throw new PipeError(
        `The phase "${this.#phase}" remembers "${name}" as [${after.shape.join(", ")}], but it is [${before.shape.join(", ")}].`,
      );
    this.#values.set(name, after);
  };

  /** The vectors of the parts that changed, as flat.ts has them. */
  vectors(): Record<string, tf.Tensor1D> {
    const changed = Object.entries(this.#parts).filter(([, parameters]) =>
      Array.from(parameters.keys()).some((name) => this.#values.has(name)),
    );
    return Object.fromEntries(
      changed.map(([part, parameters]) => {
        const pieces = Array.from(parameters, ([name, old]) => tf.reshape(this.#values.get(name) ?? old, [old.size]));
        return [part, tf.concat(pieces as tf.Tensor1D[])];
      }),
    );
  }
}
