import { readdir } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { temporary } from "../pipelines/temporary.ts";
import { call } from "./call.ts";

const lines = (text: string) => text.trimEnd().split("\n");

describe("pipe synth", () => {
  it("draws faces and says what the best predictors reach, last of all where they are", async () => {
    const output = path.join(await temporary(), "faces");
    const words = [
      "synth",
      "faces",
      "--clips",
      "2",
      "--frames",
      "3",
      "--seed",
      "5",
      "--rate",
      "25",
      "--output",
      output,
    ];
    const { code, out, err } = await call(words, false);
    expect(code).toBe(0);
    expect(lines(out)[0]).toMatch(/^best prediction from +valence CCC +COR +RMSE +arousal CCC +COR +RMSE$/);
    expect(lines(out)[4]).toMatch(/^8 frames \(320 ms\)( +-?\d\.\d{3}){6}$/);
    expect(lines(out).at(-2)).toMatch(/^2 clips of 1 people, 6 frames at 25 a second, in /);
    expect(lines(out).at(-1)).toBe(output);
    expect(err).toMatch(/^2 of 2 clips, \d+ s$/m);
    expect((await readdir(output)).sort()).toEqual(["001", "002", "oracle.json", "truth.jsonl"]);
    const again = await call(words, false);
    expect(again.code).toBe(0);
    expect(lines(again.out).at(-2)).toMatch(/already there$/);
  });

  it("takes the other layout", async () => {
    const output = path.join(await temporary(), "faces");
    const words = ["synth", "faces", "--layout", "sewa", "--clips", "1", "--frames", "2", "--output", output];
    expect((await call(words, false)).code).toBe(0);
    expect(await readdir(output)).toContain("SSL_C1_S001_P001_VC1_000000_000001");
  });

  it.each([
    [["synth"], "synth needs a name: pipe synth WHAT.", "Faces."],
    [["synth", "bodies"], '"bodies" cannot be drawn.', "faces"],
    [["synth", "faces", "--clip", "3"], "There is no option --clip.", "Did you mean --clips?"],
    [["synth", "faces", "--clips", "0"], "--clips takes a whole number of at least 1.", ""],
    [["synth", "faces", "--frames", "many"], "--frames takes a number.", ""],
    [["synth", "faces", "--layout", "emotic"], '--layout takes one of afew-va, sewa, got "emotic".', ""],
    [["synth", "faces", "--rate", "30"], "There is no rate of 30 frames per second.", "Rates: 10, 20, 25, 50, 100."],
    [["synth", "faces", "--clips", "2", "--actors", "3"], "actors must be a whole number from 1 to 2, got 3.", ""],
  ])("refuses %j in words", async (words, message, hint) => {
    const { code, out, err } = await call(words, false);
    expect(code).toBe(1);
    expect(out).toBe("");
    expect(err).toContain(message);
    expect(err).toContain(hint);
    expect(err).not.toContain("This is a bug");
  });
});
