import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { CORES_VARIABLE } from "../../src/cores.ts";
import type { Json } from "../../src/digest.ts";
import type { Frame, Latent } from "../../src/records.ts";
import { type Cached, defineStage, type Stages } from "../../src/stages/define.ts";
import { counted } from "../stages/fakes.ts";

/** What the fakes did, for tests to look at and to steer. */
export const seen = { begun: [] as string[], models: 0, shared: 0, hold: undefined as Promise<void> | undefined };

/** Every file of a folder is a "video" with one frame a byte; "x" is a damaged frame, "!" fails, "^" kills its process, "~" stops at a drain; *.no is refused. */
const readBytes = defineStage({
  name: "read-bytes",
  summary: "a folder's files → frame*, one for each byte",
  version: 1,
  takes: "none",
  gives: "frame",
  options: z.strictObject({
    input: z.array(z.string()).describe("folders"),
    every: z.int().positive().optional().describe("keep one frame in so many"),
  }),
  runtime: ["input"],
  async *sources({ input }, { digest }) {
    for (const folder of input)
      for (const name of (await readdir(folder)).sort()) {
        const file = path.join(folder, name);
        if (name.endsWith(".no")) yield { path: file, name, refused: "not a video" };
        else
          try {
            yield { path: file, name, bytes: (await stat(file)).size, digest: await digest(file) };
          } catch (error) {
            yield { path: file, name, refused: (error as Error).message };
          }
      }
  },
  run:
    ({ every = 1 }, context) =>
    () =>
      counted(async function* () {
        seen.begun.push(context.source.name);
        const bytes = await readFile(context.source.path);
        const { ledger } = context;
        let damaged = 0;
        for (const [index, byte] of bytes.entries()) {
          ledger.add("demuxed");
          if (byte === 0x78) {
            ledger.add("failed");
            damaged += 1;
            continue;
          }
          if (byte === 0x21) throw new RangeError("exclamation");
          // Only where it is a process that does tasks for another.
          if (byte === 0x5e && process.env[CORES_VARIABLE] !== undefined) process.kill(process.pid, "SIGKILL");
          if (byte === 0x7e) await drained(context.drain);
          ledger.add("decoded");
          if (index % every) {
            ledger.add("skipped");
            continue;
          }
          if (byte !== 0x3f) ledger.add("sampled");
          yield {
            kind: "frame",
            index,
            pts: index * 500_000,
            image: { width: 1, height: 1, data: bytes.subarray(index) },
          };
        }
        if (damaged > 0) context.verdict("damaged", `${damaged} bytes are damaged.`);
        else context.verdict("complete");
      }),
});

const weigh = defineStage({
  name: "weigh",
  summary: "frame* → latent*: a number each",
  version: 1,
  takes: "frame",
  gives: "latent",
  options: z.strictObject({
    scale: z.number().default(1).describe("factor"),
    model: z.string().default("a").describe("which model"),
    threads: z.int().default(1).describe("threads"),
  }),
  runtime: ["model", "threads"],
  async models({ model }) {
    seen.models += 1;
    return { scales: createHash("sha256").update(model).digest("hex") };
  },
  run: (options, context) => (frames: AsyncIterable<Frame>) =>
    counted(async function* () {
      await context.shared("scales", () => {
        seen.shared += 1;
        return {
          [Symbol.asyncDispose]: async () => {
            seen.shared -= 1;
          },
        };
      });
      context.facts.engine = "fake";
      for await (const { index, pts, image } of frames) {
        await Promise.race([seen.hold, aborted(context.signal)]);
        const track = image.data[0]! % 2;
        const rest = { box: null, score: 1, landmarks: null, shape: [1], q: null, shot: 0 };
        const z = Float32Array.of(image.data[0]! * options.scale);
        yield { kind: "latent", index, pts, status: "ok", track, z, ...rest } satisfies Latent;
      }
    }),
});

const keepSum = defineStage({
  name: "keep-sum",
  summary: "latent* → one JSON file a source",
  version: 2,
  takes: "latent",
  gives: "artifact",
  options: z.strictObject({ output: z.string().describe("folder"), unit: z.string().default("g").describe("unit") }),
  runtime: ["output"],
  output: ({ output }) => output,
  async cached({ output }, { key }): Promise<Cached | undefined> {
    const kept = (await entries(output, "")).find((entry) => entry.key === key);
    return kept?.cached;
  },
  async published({ output }, source) {
    return (await entries(output, source.name)).map((entry) => entry.keyParts);
  },
  run:
    ({ output }, context) =>
    (latents) =>
      counted(async function* () {
        let sum = 0;
        for await (const latent of latents) {
          sum += latent.z![0]!;
          context.ledger.row(latent.status);
        }
        context.facts.metrics = { sum };
        const file = path.join(output, `${context.source.name}.${context.key.slice(0, 8)}.sum`);
        const artifact = { kind: "artifact" as const, path: file, bytes: 1 };
        const { ending, ledger, facts, key, keyParts } = context;
        const cached = { artifact, counts: ledger.counts, verdict: ending?.verdict ?? "complete", facts };
        const beside = path.join(output, `.${randomUUID()}`);
        await writeFile(beside, JSON.stringify({ sum, key, keyParts, cached }));
        await rename(beside, file);
        yield artifact;
      }),
});

export const stages = Object.fromEntries(
  [readBytes, weigh, keepSum].map((stage) => [stage.name, stage]),
) as unknown as Stages;

export const file = `
# Weighs bytes.
sum-bytes:
  about: the sum of every file's bytes
  params:
    input: { type: path, array: true, default: [clips], bundled: true, help: folders to read }
    output: { type: string, help: where the sums go }
    scale: { type: number, default: 1, help: factor of every byte }
    every: { type: integer, help: keep one frame in so many }
  steps:
    - read-bytes: { input: $input, every: $every }
    - weigh: { scale: $scale }
    - keep-sum:
        output: $output
`;

interface Entry {
  key: string;
  keyParts: Json;
  cached: Cached;
}

async function entries(output: string, name: string): Promise<Entry[]> {
  const all = await readdir(output).catch(() => []);
  const names = all.filter((each) => each.endsWith(".sum") && (name === "" || each.startsWith(`${name}.`)));
  return Promise.all(names.map(async (each) => JSON.parse(await readFile(path.join(output, each), "utf8")) as Entry));
}

async function drained(drain: AbortSignal): Promise<never> {
  if (!drain.aborted) await once(drain, "abort");
  throw drain.reason;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (seen.hold) await sleep(1e6, undefined, { signal, ref: false });
}
