import type { CommandModule } from "yargs";
import { PipeError } from "../errors.ts";
import { onInterrupt } from "./interrupt.ts";
import { commandModule, type Session, whole } from "./session.ts";
import { table } from "./table.ts";

export function synthCommand(session: Session): CommandModule {
  return commandModule({
    command: "synth <what>",
    describe: "draw a labelled dataset whose best possible predictions are known",
    positionals: { what: { type: "string", describe: "faces" } },
    options: {
      layout: {
        type: "string",
        choices: ["afew-va", "sewa"],
        describe: "whose layout",
        defaultDescription: "afew-va",
        requiresArg: true,
      },
      clips: { type: "number", describe: "how many clips", defaultDescription: "600" },
      frames: { type: "number", describe: "frames of each clip", defaultDescription: "32" },
      actors: { type: "number", describe: "how many people", defaultDescription: "one for every two clips" },
      rate: { type: "number", describe: "frames per second: 10, 20, 25, 50 or 100", defaultDescription: "50" },
      seed: { type: "number", describe: "another seed, another dataset", defaultDescription: "1" },
      output: {
        type: "string",
        describe: "the folder to make",
        defaultDescription: "data/datasets/synth-LAYOUT",
        requiresArg: true,
      },
    },
    async run(given) {
      if (given.what !== "faces")
        throw new PipeError(`"${given.what}" cannot be drawn.`, { hint: "What can be drawn: faces." });
      const { synthFaces } = await import("../datasets/synth/faces.ts");
      type Options = Parameters<typeof synthFaces>[0];
      const numbers = ["clips", "frames", "actors", "rate"].map((name) => [name, whole(given, name, 1)] as const);
      const chosen = [...numbers, ["seed", whole(given, "seed", 0)], ["layout", given.layout]] as const;
      const options = Object.fromEntries(chosen.filter(([, value]) => value !== undefined)) as Omit<Options, "output">;
      const output = (given.output as string | undefined) ?? `data/datasets/synth-${options.layout ?? "afew-va"}`;
      using interrupt = onInterrupt((message) => session.err(`${message}\n`));
      const started = performance.now();
      let told = started;
      const onClip = (done: number, clips: number): void => {
        const now = performance.now();
        if (now - told < BETWEEN && done < clips) return;
        told = now;
        session.err(`${done} of ${clips} clips, ${Math.round((now - started) / 1000)} s\n`);
      };
      try {
        const made = await synthFaces({ ...options, output, signal: interrupt.drain, onClip });
        session.out(summary(made, (performance.now() - started) / 1000));
      } catch (error) {
        if (!interrupt.drain.aborted) throw error;
        session.err("Interrupted; nothing was kept.\n");
        session.exitCode = 130;
      }
    },
  });
}

/** Between two words about progress, milliseconds. */
const BETWEEN = 10_000;

type Made = Awaited<ReturnType<typeof import("../datasets/synth/faces.ts").synthFaces>>;

/** What the best predictors reach, then what was made; the last line is the folder. */
function summary({ folder, clips, frames, made, oracle: { rate, actors, oracle } }: Made, seconds: number): string {
  const head = ["best prediction from", "valence CCC", "COR", "RMSE", "arousal CCC", "COR", "RMSE"];
  const rows = oracle.valence.map(({ n, milliseconds, sliding }, i) => {
    const scores = [sliding, oracle.arousal[i]!.sliding].flatMap(({ ccc, cor, rmse }) => [ccc, cor, rmse]);
    return [`${n} frame${n > 1 ? "s" : ""} (${milliseconds} ms)`, ...scores.map((value) => value.toFixed(3))];
  });
  const took = made ? `in ${seconds.toFixed(1)} s, ${Math.round(frames / seconds)} frames/s` : "already there";
  return [
    table([head, ...rows]),
    `${clips} clips of ${actors} people, ${frames} frames at ${rate} a second, ${took}\n`,
    `${folder}\n`,
  ].join("");
}
