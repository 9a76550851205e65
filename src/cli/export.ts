import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { CommandModule } from "yargs";
import { diskError, makeFolder } from "../disk.ts";
import { PipeError } from "../errors.ts";
import { version } from "../pipelines/package.ts";
import { suggest } from "../pipelines/suggest.ts";
import { commandModule, type Session, whole } from "./session.ts";

export function exportCommand(session: Session): CommandModule {
  return commandModule({
    command: "export <network>",
    describe: "write a network as an .onnx file that any runtime reads",
    positionals: { network: { type: "string", describe: "its name; an unknown one lists them" } },
    options: {
      preset: { type: "string", describe: "size of the network", defaultDescription: "small", requiresArg: true },
      checkpoint: {
        type: "string",
        describe: "trained weights",
        defaultDescription: "those that come with the package for the preset",
        requiresArg: true,
      },
      seed: { type: "number", describe: "untrained weights of this seed, instead of trained ones" },
      batch: { type: "number", describe: "images, or windows, in a batch", defaultDescription: "any number" },
      n: {
        type: "number",
        describe: "frames in a window, of networks that take sequences; it is built into the file",
        defaultDescription: "what the checkpoint was trained on",
      },
      encoder: {
        type: "string",
        describe: "of a sequence model that was trained on features: the frame model that made them",
        defaultDescription: "the one of the package",
        requiresArg: true,
      },
      attention: {
        type: "string",
        describe: "what a network of sequences attends with: none, location, concat",
        defaultDescription: "what its checkpoint says",
        requiresArg: true,
      },
      output: {
        type: "string",
        describe: "the file to write",
        defaultDescription: "NETWORK-PRESET.onnx",
        requiresArg: true,
      },
    },
    async run(given) {
      const { networks } = await import("../systems/index.ts");
      const name = String(given.network);
      const network = Object.hasOwn(networks, name) ? networks[name] : undefined;
      if (!network)
        throw new PipeError(`There is no network "${name}".`, {
          hint: suggest(name, Object.keys(networks), "Networks"),
        });
      const preset = (given.preset as string | undefined) ?? "small";
      if (!network.presets.includes(preset))
        throw new PipeError(`${name} has no preset "${preset}".`, {
          hint: suggest(preset, network.presets, "Presets"),
        });
      const [seed, batch, n] = [whole(given, "seed", 0), whole(given, "batch", 1), whole(given, "n", 1)];
      for (const option of ["n", "attention", "encoder"] as const)
        if (given[option] !== undefined && !network.knows?.includes(option))
          throw new PipeError(`${name} takes no --${option}.`, { hint: "It is for networks that take sequences." });
      const built = await network.build({
        preset,
        ...(given.checkpoint !== undefined && { checkpoint: String(given.checkpoint) }),
        ...(seed !== undefined && { seed }),
        ...(batch !== undefined && { batch }),
        ...(n !== undefined && { n }),
        ...(given.encoder !== undefined && { encoder: String(given.encoder) }),
        ...(given.attention !== undefined && { attention: String(given.attention) }),
      });
      try {
        const { compile } = await import("../compile/index.ts");
        await using compiled = await compile(built.program, { name: `${name}-${preset}`, engine: "onnx" });
        const file = path.resolve((given.output as string | undefined) ?? `${name}-${preset}.onnx`);
        const bytes = compiled.toOnnx(built.inputs, { network: name, ...built.metadata, version: version() });
        await publish(file, bytes);
        if (built.weights.startsWith("untrained"))
          session.err(`These weights were never trained: what the file says means nothing.\n`);
        session.err(`${name}, preset ${preset}, weights ${built.weights}, ${bytes.length} bytes\n`);
        session.out(`${file}\n`);
      } finally {
        built.dispose();
      }
    },
  });
}

async function publish(file: string, bytes: Uint8Array): Promise<void> {
  const beside = `${file}.${randomUUID()}.tmp`;
  try {
    await makeFolder(path.dirname(file));
    await writeFile(beside, bytes, { flag: "wx", flush: true });
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {});
    throw diskError(error, file);
  }
}
