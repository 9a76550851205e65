import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { AnyRecord } from "../records.ts";
import type { BoundStage, Context } from "../stages/define.ts";
import { type StageStream, toStream } from "../stages/stream.ts";

export interface Composed {
  /** What the last stage gave. */
  readonly records: AnyRecord[];
  /** Seconds inside each stage, by position. */
  readonly seconds: readonly number[];
}

/**
 * Runs bound stages as one `stream.pipeline`. Resolves, or rejects with the first error, only after every stage has
 * closed; `seconds` are those spent up to there either way.
 */
export async function compose(
  stages: readonly { readonly stage: BoundStage; readonly context: Context }[],
  options: {
    readonly signal: AbortSignal;
    readonly tap?: (record: AnyRecord, step: number) => void;
    readonly seconds?: (seconds: readonly number[]) => void;
  },
): Promise<Composed> {
  const records: AnyRecord[] = [];
  const last = new Writable({
    objectMode: true,
    write(record: AnyRecord, _encoding, done) {
      records.push(record);
      done();
    },
  });
  const { tap } = options;
  const streams = stages.map(({ stage, context }, step) =>
    toStream(stage, context, tap ? { tap: (record) => tap(record, step) } : {}),
  );
  const seconds = () => streams.map((stream) => stream.busySeconds);
  try {
    await pipeline([...streams, last] as unknown as [StageStream, Writable], { signal: options.signal });
  } finally {
    for (const stream of streams) stream.destroy();
    await Promise.all(streams.map((stream) => stream.closed || new Promise((done) => stream.once("close", done))));
    options.seconds?.(seconds());
  }
  return { records, seconds: seconds() };
}
