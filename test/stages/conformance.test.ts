import { describe, expect, it } from "vitest";
import type { Stages } from "../../src/stages/define.ts";
import { stages } from "../../src/stages/index.ts";
import { stageExam } from "./conformance.ts";

const table = stages as unknown as Stages;

describe("every stage", () => {
  it("is in the table under its name", () => {
    expect(Object.keys(table).length).toBeGreaterThan(0);
  });
  for (const [name, stage] of Object.entries(table)) stageExam(name, stage);
});
