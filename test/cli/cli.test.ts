import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { seen } from "../pipelines/fakes.ts";
import { temporary } from "../pipelines/temporary.ts";
import { call } from "./call.ts";

let input: string;
let output: string;

beforeEach(async () => {
  input = await temporary();
  output = path.join(await temporary(), "made");
  seen.hold = undefined;
  await writeFile(path.join(input, "a"), "abc");
});

const lines = (text: string) => text.trimEnd().split("\n");

describe("pipe run", () => {
  it("runs a pipeline and says on stdout what was found, last of all where it is", async () => {
    const { code, out } = await call(["run", "sum-bytes", "--input", input, "--output", output]);
    expect(code).toBe(0);
    expect(lines(out).at(-1)).toBe(output);
    expect(lines(out)[0]).toMatch(/^source +status +rows +tracks +verdict +sum +seconds$/);
    expect(lines(out)[1]).toMatch(/^a +done +ok 3 +2 +complete +294\.000 +\d+\.\d\d$/);
    expect(await readdir(output)).toContain("report.json");
  });

  it("takes many inputs, names of all kinds, and options of single steps", async () => {
    const other = path.join(await temporary(), "-x 'y' %03d\nz");
    await mkdir(other);
    await writeFile(path.join(other, "line\nbreak"), "bc");
    const args = ["run", "sum-bytes", "--input", input, other, "--output", output, "--scale=-2.5"];
    const { code, out } = await call([...args, "--set", "weigh.model=b", "--set", "weigh.threads=2"]);
    expect(code).toBe(0);
    expect(out).toContain("line\\nbreak");
    const report = JSON.parse(await readFile(path.join(output, "report.json"), "utf8"));
    expect(report.params).toMatchObject({ input: [input, other], scale: -2.5 });
  });

  it("ends with 2 when some items failed", async () => {
    await writeFile(path.join(input, "b"), "a!c");
    const { code, out, err } = await call(["run", "sum-bytes", "--input", input, "--output", output, "--jobs", "2"]);
    expect(code).toBe(2);
    expect(out).toMatch(/^a +done +ok 3 .*\nb +failed +ok 1 +1 +- +- .*RangeError: exclamation$/m);
    expect(err).toContain("this is a bug");
  });

  it("tells progress as JSON, one object a line, on stderr", async () => {
    const { err } = await call(["run", "sum-bytes", "--input", input, "--output", output, "--progress", "json"]);
    const events = lines(err).map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toEqual(["begin", "item", "end"]);
    expect(events[1]).toMatchObject({ source: "a", status: "done" });
    expect(events[2]).toMatchObject({ items: 1, total: 1, done: 1, frames: 3, eta: 0 });
  });

  it("is silent on stderr with --progress none", async () => {
    expect((await call(["run", "sum-bytes", "--input", input, "--output", output, "--progress", "none"])).err).toBe("");
  });

  it("shows a pipeline's params in their own words, with defaults", async () => {
    const { code, out } = await call(["run", "sum-bytes", "--help"]);
    expect(code).toBe(0);
    expect(out).toContain("the sum of every file's bytes");
    expect(out).toMatch(/--scale +factor of every byte +\[number\] \[default: 1\]/);
    expect(out).toMatch(/--output +where the sums go \(needed\)/);
    expect(out).toMatch(/--jobs /);
  });

  it("takes what follows its name as its input, before, between and after options, and beside --input", async () => {
    const other = await temporary();
    await writeFile(path.join(other, "b"), "bc");
    const typed = [
      ["run", "sum-bytes", input, other, "--output", output],
      ["run", "sum-bytes", input, "--output", output, "--force", other],
      ["run", "sum-bytes", "--output", output, other, "--input", input],
      ["run", "sum-bytes", "--scale", "2", "--set", "weigh.model=b", other, "--output", output, "--input", input],
    ];
    for (const args of typed) {
      const { code, out, err } = await call(args);
      expect(code, err).toBe(0);
      expect(
        lines(out)
          .flatMap((line) => /^([ab]) /.exec(line)?.[1] ?? [])
          .sort(),
        args.join(" "),
      ).toEqual(["a", "b"]);
    }
    expect((await call(["plan", "sum-bytes", input, "--output", output])).out).toMatch(/^a +cached/m);
    const watched = await call(["run", "sum-bytes", input, "--watch", other, "--output", output]);
    expect(watched.err).toContain("--watch names the folder to look into, and --input another.");
  });

  it("answers a pipeline's name with the command that runs it, and help and version in every form", async () => {
    expect(await call(["sum-bytes", "a b.mp4"])).toMatchObject({
      code: 1,
      err: expect.stringContaining('"sum-bytes" is a pipeline, not a command.\n  → Run it: pipe run sum-bytes a b.mp4'),
    });
    const [long, short] = [await call(["--help"]), await call(["-h"])];
    expect(long.out).toContain("pipe COMMAND [options]");
    for (const said of [short, await call(["help"])]) expect(said).toEqual(long);
    const run = await call(["run", "sum-bytes", "--help"]);
    expect(run.out).toContain("where the sums go (needed)");
    for (const args of [
      ["help", "run", "sum-bytes"],
      ["run", "sum-bytes", "-h"],
    ])
      expect(await call(args)).toEqual(run);
    const { version } = JSON.parse(await readFile("package.json", "utf8")) as { version: string };
    for (const flag of ["--version", "-v"]) expect(await call([flag])).toMatchObject({ code: 0, out: `${version}\n` });
  });

  it.each([
    [["run"], "Name a pipeline: pipe run NAME.", "Pipelines: sum-bytes."],
    [["run", "sum-byte"], 'There is no pipeline "sum-byte".', "Did you mean sum-bytes?"],
    [["run", "sum-bytes", "--outptu", "x"], "There is no option --outptu.", "Did you mean --output?"],
    [["run", "sum-bytes"], "--output is needed.", "pipe run sum-bytes --help"],
    [["run", "sum-bytes", "--output", "o", "--scale", "big"], "--scale takes a number.", ""],
    [["run", "sum-bytes", "--output", "o", "--jobs", "0"], "--jobs takes a whole number of at least 1.", ""],
    [["run", "sum-bytes", "--output", "o", "--every", "1.5"], "--every takes an integer, got 1.5.", ""],
    [
      ["run", "sum-bytes", "--output", "o", "--set", "weigh.scal=1"],
      'options has no member "scal"',
      "Did you mean scale?",
    ],
    [
      ["run", "sum-bytes", "--output", "o", "--progress", "loud"],
      '--progress takes one of auto, json, none, got "loud".',
      "",
    ],
    [["run", "sum-bytes", "--output"], "--output needs a value.", "--help shows"],
    [["run", "sum-bytes", "--output", "o", "--limit"], "--limit needs a value.", "--help shows"],
    [["run", "sum-bytes", "--output", "o", "--set"], "--set needs a value.", "--help shows"],
    [
      ["run", "sum-bytes", "--output", "o", "--progress", "none", "--progress", "json"],
      "--progress is given more than once.",
      "",
    ],
    [["rnu"], 'There is no command "rnu".', "Did you mean run?"],
    [[], "Name a command.", ""],
    [["list", "wiegh"], 'There is no stage "wiegh".', "Did you mean weigh?"],
    [["list", "--jsno"], "There is no option --jsno.", "Did you mean --json?"],
    [["verify"], "verify needs a name: pipe verify DIR.", "Output folder"],
    [["export"], "export needs a name: pipe export NETWORK.", "an unknown one lists them"],
  ])("%j ends with 1 and says why", async (args, message, hint) => {
    const { code, out, err } = await call(args);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain(message);
    expect(err).toContain(hint);
    expect(err).not.toContain("    at ");
  });
});

describe("pipe plan", () => {
  it("says what would be done, as a table or as data, and makes nothing", async () => {
    await writeFile(path.join(input, "b.no"), "");
    const args = ["plan", "sum-bytes", "--input", input, "--output", output];
    const { code, out } = await call(args);
    expect(code).toBe(0);
    expect(lines(out)).toEqual([
      "source  action   why",
      "a       run      not published yet",
      "b.no    refused  not a video",
      `1 to run, 0 cached, 1 refused; output ${output}`,
    ]);
    expect(JSON.parse((await call([...args, "--json"])).out)).toMatchObject({
      pipeline: "sum-bytes",
      items: [{ action: "run" }, { action: "refused", key: null }],
      totals: { items: 2, cached: 0, run: 1, refused: 1 },
    });
    await expect(readdir(output)).rejects.toThrow("ENOENT");
  });
});

describe("pipe list and show", () => {
  it("lists pipelines and stages", async () => {
    const { out } = await call(["list"]);
    expect(out).toMatch(/^ {2}sum-bytes {2}the sum of every file's bytes$/m);
    expect(out).toMatch(/^ {2}weigh +frame → latent +frame\* → latent\*: a number each$/m);
    const data = JSON.parse((await call(["list", "--json"])).out);
    expect(data.pipelines[0].steps).toEqual(["read-bytes", "weigh", "keep-sum"]);
    expect(data.stages.map((stage: { name: string }) => stage.name)).toEqual(["keep-sum", "read-bytes", "weigh"]);
  });

  it("lists a stage's options", async () => {
    const { out } = await call(["list", "weigh"]);
    expect(out).toMatch(/^threads +integer +1 +threads \(not part of the key\)$/m);
    expect(JSON.parse((await call(["list", "keep-sum", "--json"])).out)).toMatchObject({
      takes: ["latent"],
      gives: "artifact",
      options: [
        { name: "output", type: "string", required: true, help: "folder", runtime: true },
        { name: "unit", default: "g", required: false, runtime: false },
      ],
    });
  });

  it("shows the steps with everything filled in", async () => {
    const { out } = await call(["show", "sum-bytes", "--output", "o", "--every", "3"]);
    expect(lines(out).slice(1)).toEqual([
      "sum-bytes:",
      "  about: the sum of every file's bytes",
      "  steps:",
      "    - read-bytes:",
      "        input:",
      expect.stringMatching(/^ {10}- .*clips$/),
      "        every: 3",
      "    - weigh:",
      "        scale: 1",
      "        model: a",
      "        threads: 1",
      "    - keep-sum:",
      "        output: o",
      "        unit: g",
    ]);
    const data = JSON.parse((await call(["show", "sum-bytes", "--output", "o", "--json"])).out);
    expect(data).toMatchObject({
      name: "sum-bytes",
      line: 3,
      params: [{ name: "input" }, { name: "output", value: "o" }, {}, {}],
    });
  });

  it.each(["run", "plan", "show", "list", "verify", "export", "synth"])("%s has help", async (command) => {
    const { code, out } = await call([command, "--help"]);
    expect(code).toBe(0);
    expect(out).toContain(`pipe ${command}`);
  });
});
