import type { CommandModule } from "yargs";
import { commandModule, printable, type Session } from "./session.ts";

export function verifyCommand(session: Session): CommandModule {
  return commandModule({
    command: "verify <dir>",
    describe: "hash everything in a cache, or in a folder of scores, and say what is not as it was published",
    positionals: { dir: { type: "string", describe: "output folder of a run, or one entry in it" } },
    async run({ dir }) {
      let [intact, broken] = [0, 0];
      for await (const { entry, name, ok, problems } of await verified(String(dir))) {
        if (ok) intact += 1;
        else broken += 1;
        session.out(`${ok ? "ok " : "BAD"}  ${printable(entry)}${name === undefined ? "" : `  ${printable(name)}`}\n`);
        for (const problem of problems) session.out(`     ${printable(problem)}\n`);
      }
      session.out(`${intact} intact, ${broken} with problems\n`);
      if (broken > 0) session.exitCode = 2;
    },
  });
}

async function verified(dir: string) {
  const { scoresFolders } = await import("../report/scores/entry.ts");
  if ((await scoresFolders(dir)).length > 0) return (await import("../report/scores/verify.ts")).verifyScores(dir);
  return (await import("../cache/verify.ts")).verifyFolder(dir);
}
