import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Value } from "../../compile/index.ts";
import { digestOf, type Json } from "../../digest.ts";
import { makeFolder } from "../../disk.ts";
import { PipeError } from "../../errors.ts";
import { readCheckpoint, writeCheckpoint } from "../checkpoint.ts";
import { flatten, unflatten } from "../flat.ts";
import { conform, type Weight, type Weights } from "../weights.ts";
import { checkSame } from "./config.ts";
import type { History } from "./history.ts";
import { vectorOf } from "./programs.ts";
import type { FitOptions } from "./types.ts";

/** All that a run needs to go on as if it had never stopped. */
export interface Saved {
  /** Iterations done. */
  readonly iteration: number;
  readonly history: History;
  /** By the names of programs.ts. */
  state: Record<string, Value>;
}

/** Where a checkpoint lies. One that an abort left is dropped as soon as a regular one follows. */
export interface Place {
  readonly path: string;
  readonly iteration: number;
  readonly regular: boolean;
}

/**
 * The checkpoints of one run: `checkpoints/<iteration>.safetensors`, each of them all that is needed to go on. Tensors:
 * the parameters under their own names, and the optimisers' vectors. Metadata: the rest, as JSON.
 */
export class Checkpoints {
  readonly #folder: string;
  readonly #parts: FitOptions["parts"];
  readonly #keep: number;

  constructor(options: Pick<FitOptions, "folder" | "parts">, keep: number) {
    this.#folder = join(options.folder, "checkpoints");
    this.#parts = options.parts;
    this.#keep = keep;
  }

  /** Makes the folder and clears it of what a killed run left half-written. The caller holds the lock. */
  async prepare(): Promise<void> {
    await makeFolder(this.#folder);
    for (const name of await readdir(this.#folder))
      if (name.startsWith(".") && name.endsWith(".tmp")) await rm(join(this.#folder, name), { force: true });
  }

  async newest(): Promise<Place | undefined> {
    return (await placesIn(this.#folder)).at(-1);
  }

  pathOf(iteration: number, regular = true): string {
    return join(this.#folder, nameOf(iteration, regular));
  }

  /** Throws a PipeError when the file is damaged, or was written with another configuration. `names`: the state's. */
  async load({ path }: Place, run: { config: Json; names: readonly string[]; folder: string }): Promise<Saved> {
    const { weights, metadata } = await readCheckpoint(path);
    const { iteration, history, config, integers } = notesOf(metadata, path);
    checkSame(config, run.config, run.folder);
    const state: Record<string, Value> = {};
    for (const [part, specs] of Object.entries(this.#parts)) {
      const own = specs.flatMap(({ name }) => (weights.has(name) ? [[name, weights.get(name)!] as const] : []));
      const data = flatten(new Map(own), specs, path);
      state[vectorOf(part)] = { data, shape: [data.length] };
    }
    for (const name of run.names) {
      if (state[name]) continue;
      const kept = integers[name];
      const value: Value | undefined = kept
        ? { data: Int32Array.from(kept.values), shape: kept.shape }
        : weights.get(name);
      if (value === undefined) throw new PipeError(`${path} lacks "${name}".`, { hint: "Train into another folder." });
      state[name] = value;
    }
    return { iteration, history, state };
  }

  /** Publishes a checkpoint in one rename, then removes those that are no longer needed. */
  async save(saved: Saved, run: { regular: boolean; name: string; config: Json }): Promise<Place> {
    const { iteration, state, history } = saved;
    const { regular, name, config } = run;
    const path = this.pathOf(iteration, regular);
    const tensors = new Map<string, Weight>();
    const integers: Record<string, { shape: readonly number[]; values: number[] }> = {};
    for (const [part, specs] of Object.entries(this.#parts))
      for (const [key, weight] of unflatten(state[vectorOf(part)]!.data as Float32Array, specs))
        tensors.set(key, weight);
    const vectors = new Set(Object.keys(this.#parts).map(vectorOf));
    for (const [key, { data, shape }] of Object.entries(state)) {
      if (vectors.has(key)) continue;
      if (data instanceof Float32Array) tensors.set(key, { shape, data });
      else integers[key] = { shape, values: [...data] };
    }
    checkAllFinite(name, iteration, tensors);
    const parts = Object.entries(this.#parts).map(([part, specs]) => [part, specs.map((spec) => spec.name)]);
    await writeCheckpoint(path, tensors, {
      metadata: {
        training: JSON.stringify({ iteration, history, integers, parts: Object.fromEntries(parts) }),
        config: JSON.stringify(config),
        configDigest: digestOf(config),
      },
    });
    await this.tidy(history);
    return { path, iteration, regular };
  }

  /** Removes all but the newest regular checkpoints and the best, and what an abort left before the newest. */
  async tidy({ best }: History): Promise<void> {
    const places = await placesIn(this.#folder);
    const regular = places.filter((place) => place.regular);
    const wanted = new Set(regular.slice(-this.#keep));
    const newest = places.at(-1);
    for (const place of places) {
      if (place === newest || wanted.has(place) || (place.regular && place.iteration === best?.iteration)) continue;
      await rm(place.path, { force: true });
    }
  }
}

/**
 * The weights of one part, or of all parts, of a checkpoint that `fit` wrote, in the specs' order.
 * Throws a PipeError when it is none, or has no such part.
 */
export async function weightsOf(path: string, part?: string): Promise<Weights> {
  const { weights, metadata } = await readCheckpoint(path);
  const { parts } = notesOf(metadata, path);
  if (part !== undefined && !Object.hasOwn(parts, part))
    throw new PipeError(`${path} has no part "${part}".`, { hint: `Its parts: ${Object.keys(parts).join(", ")}.` });
  const names = part === undefined ? Object.values(parts).flat() : parts[part]!;
  const wanted = names.map((name) => ({ name, shape: weights.get(name)?.shape ?? [], start: "zeros" as const }));
  const own = new Map([...weights].filter(([name]) => names.includes(name)));
  return conform(own, wanted, path);
}

interface Notes {
  readonly iteration: number;
  readonly history: History;
  readonly integers: Record<string, { shape: number[]; values: number[] }>;
  readonly parts: Record<string, string[]>;
  readonly config: Json;
}

function notesOf(metadata: Readonly<Record<string, string>>, path: string): Notes {
  try {
    const config = JSON.parse(metadata.config!) as Json;
    if (digestOf(config) === metadata.configDigest)
      return { ...(JSON.parse(metadata.training!) as Omit<Notes, "config">), config };
  } catch {
    // Told below.
  }
  throw new PipeError(`${path} is not a checkpoint of a training run, or it is damaged.`, {
    hint: "Files of plain weights, for inference, cannot be trained on: give them as `start`.",
  });
}

/** A step's numbers are checked when they are made; this finds an update that overflowed after the last loss. */
function checkAllFinite(name: string, iteration: number, tensors: Weights): void {
  for (const [key, { data }] of tensors)
    if (!allFinite(data))
      throw new PipeError(`${name}: "${key}" is not finite after iteration ${iteration}; it was not saved.`, {
        hint: "Lower the learning rate, or clip the gradient's norm. The same call goes on from the last checkpoint.",
      });
}

// A plain loop: there may be tens of millions of numbers.
function allFinite(data: Float32Array): boolean {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i]!)) return false;
  return true;
}

function nameOf(iteration: number, regular: boolean): string {
  return `${regular ? "" : "aborted-"}${String(iteration).padStart(9, "0")}.safetensors`;
}

async function placesIn(folder: string): Promise<Place[]> {
  const places = (await readdir(folder)).flatMap((name): Place[] => {
    const [, aborted, digits] = /^(aborted-)?(\d+)\.safetensors$/.exec(name) ?? [];
    if (digits === undefined) return [];
    return [{ path: join(folder, name), iteration: Number(digits), regular: aborted === undefined }];
  });
  return places.sort((a, b) => a.iteration - b.iteration || Number(a.regular) - Number(b.regular));
}
