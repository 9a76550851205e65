import { writeFile } from "node:fs/promises";
import path from "node:path";
import { main } from "../../src/cli/main.ts";
import { file, stages } from "../pipelines/fakes.ts";
import { temporary } from "../pipelines/temporary.ts";

export interface Said {
  code: number;
  out: string;
  err: string;
}

/** Calls `pipe` in this process, with fake stages and the fake pipelines file unless told otherwise. */
export async function call(args: readonly string[], fakes = true): Promise<Said> {
  const said = { out: "", err: "" };
  const session = {
    args: fakes ? [...args, `--file=${await pipelinesFile()}`] : args,
    out: (text: string) => {
      said.out += text;
    },
    err: (text: string) => {
      said.err += text;
    },
    live: false,
    exitCode: 0,
    ...(fakes && { stages }),
  };
  return { code: await main(session), ...said };
}

async function pipelinesFile(): Promise<string> {
  const place = path.join(await temporary(), "pipelines.yaml");
  await writeFile(place, file);
  return place;
}
