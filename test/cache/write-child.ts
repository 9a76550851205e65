import { setTimeout as sleep } from "node:timers/promises";
import type { Dtype } from "../../src/cache/dtype.ts";
import { LatentWriter } from "../../src/cache/writer.ts";
import { PipeError } from "../../src/errors.ts";
import { Ledger } from "../../src/ledger.ts";
import { latents, options } from "./helpers.ts";

// A process of its own that writes one entry into argv[2], slowly: what tests kill, limit and set against another.
const [output, dtype, pause] = process.argv.slice(2) as [string, Dtype, string];

try {
  await using writer = await LatentWriter.open(options(output, { dtype, shardBytes: (1 << 18) + 40_000 }));
  console.log("open");
  for (const latent of latents(60, [3, 32, 32])) {
    await writer.append(latent);
    if (Number(pause) > 0) await sleep(Number(pause));
  }
  await writer.publish({ verdict: "complete", counts: new Ledger().counts });
  console.log("published");
} catch (error) {
  if (!(error instanceof PipeError)) throw error;
  console.log(`PipeError: ${error.message}`);
  process.exitCode = 2;
}
