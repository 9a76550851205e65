import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { digestFile, type Json } from "../../src/digest.ts";
import { looseContext } from "../../src/stages/context.ts";
import type { AnyStage, Context } from "../../src/stages/define.ts";
import { toStream } from "../../src/stages/stream.ts";

const KINDS = ["frame", "crop", "latent", "window", "batch", "prediction", "fold", "artifact"];

/** The exam that every stage passes. `name` is that of its file. */
export function stageExam(name: string, stage: AnyStage): void {
  const shape = (stage.options as z.ZodObject).shape as Record<string, z.ZodType>;
  const takes = [stage.takes].flat() as string[];

  describe(name, () => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(path.join(tmpdir(), "stage-exam-"));
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    /** Defaults, and a place of its own wherever it reads or writes. */
    const options = () =>
      stage.options.parse({
        ...("output" in shape && { output: path.join(folder, "out") }),
        ...("input" in shape && { input: accepts(shape.input!, [folder]) ? [folder] : folder }),
      }) as Json;

    it("has its file's name, a one-line summary and a version", () => {
      expect(stage.name).toBe(name);
      expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(stage.summary).toMatch(/^\S.{9,110}\S$/);
      expect(Number.isSafeInteger(stage.version) && stage.version > 0).toBe(true);
    });

    it("takes and gives known kinds; a source has sources, a sink an output", () => {
      for (const kind of takes) expect(["none", ...KINDS]).toContain(kind);
      expect(KINDS).toContain(stage.gives);
      expect(stage.sources !== undefined).toBe(takes.includes("none"));
      expect(stage.output !== undefined).toBe(stage.gives === "artifact");
    });

    it("describes every option in words", () => {
      for (const [option, schema] of Object.entries(shape))
        expect(schema.description, `${name}.${option}`).toMatch(/^\S.{2,}\S$/s);
    });

    it("refuses an option that it does not have", () => {
      const { error } = stage.options.safeParse({ ...(options() as object), "no-such-option": 1 });
      expect(error?.issues[0]?.code).toBe("unrecognized_keys");
    });

    it("has defaults that parse, to plain data that parses to itself", () => {
      const parsed = options();
      expect(JSON.parse(JSON.stringify(parsed))).toEqual(parsed);
      expect(stage.options.parse(parsed)).toEqual(parsed);
      for (const issue of stage.options.safeParse({}).error?.issues ?? [])
        expect(issue.message).toMatch(/received undefined$/);
    });

    it("has runtime options that exist, and among them every place and engine", () => {
      const runtime = (stage.runtime ?? []) as readonly string[];
      for (const option of runtime) expect(Object.keys(shape)).toContain(option);
      for (const option of ["input", "output", "engine", "provider", "threads", "batch"])
        if (option in shape) expect(runtime).toContain(option);
    });

    it("closes when aborted while it begins, and leaves nothing behind", async () => {
      const file = path.join(folder, "source");
      await writeFile(file, "nothing to decode");
      const source = { path: file, name: "source", bytes: 17, digest: await digestFile(file) };
      const controller = new AbortController();
      await using context = looseContext({ source, signal: controller.signal, note: () => {} });
      const keyed = (given: Context): Context => Object.create(given, { key: { value: "0".repeat(64) } });
      const bound = { stage, options: options(), run: (given: Context) => stage.run(options(), keyed(given)) };
      const stream = toStream(bound as never, context);
      const closed = new Promise((resolve) => stream.once("close", resolve));
      const ended = pipeline(stream, async (records: AsyncIterable<unknown>) => {
        for await (const _ of records);
      });
      setImmediate(() => controller.abort(new Error("stopped")));
      // A source may find out sooner that there is nothing to decode.
      await ended.catch((error: Error) => expect(error.message).toMatch(takes.includes("none") ? /./ : /stopped/));
      await closed;
      expect(await readdir(path.join(folder, "out"), { recursive: true }).catch(() => [])).toEqual([]);
    });
  });
}

function accepts(schema: z.ZodType, value: unknown): boolean {
  return schema.safeParse(value).success;
}
