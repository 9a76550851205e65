import type { CommandModule } from "yargs";
import { outputOf } from "../pipelines/output.ts";
import { type PlanItem, plan } from "../pipelines/plan.ts";
import { memoDigest } from "./digests.ts";
import { pipelineCommand } from "./pipelines.ts";
import { printable, type Session, whole } from "./session.ts";
import { table } from "./table.ts";

export function planCommand(session: Session): CommandModule {
  return pipelineCommand(
    session,
    "plan",
    "say what a run would do with each source, and why",
    {
      limit: { type: "number", describe: "at most this many sources" },
      force: { type: "boolean", describe: "plan to work on what is cached, too" },
      json: { type: "boolean", describe: "as JSON" },
    },
    async (given, { bound, stages }) => {
      const limit = whole(given, "limit", 1);
      const output = outputOf(bound, stages);
      const digest = await memoDigest(output, { create: false });
      const items: PlanItem[] = [];
      const planned = plan(bound, {
        stages,
        digest: (path) => digest(path),
        force: given.force === true,
        ...(limit !== undefined && { limit }),
      });
      for await (const { item } of planned) items.push(item);
      const count = (action: PlanItem["action"]) => items.filter((item) => item.action === action).length;
      const totals = { items: items.length, cached: count("cached"), run: count("run"), refused: count("refused") };
      if (given.json) {
        session.out(
          `${JSON.stringify({ pipeline: bound.name, params: bound.params, output, items, totals }, null, 2)}\n`,
        );
        return;
      }
      const rows = items.map(({ source, action, why, replaces }) => [
        printable(source.name),
        action,
        printable(why) +
          (replaces === "other" ? " (takes another result's place: needs --force, or another --output)" : ""),
      ]);
      session.out(table([["source", "action", "why"], ...rows]));
      session.out(`${totals.run} to run, ${totals.cached} cached, ${totals.refused} refused; output ${output}\n`);
    },
  );
}
