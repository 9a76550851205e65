import { describe, expect, it } from "vitest";
import { stages } from "../../src/stages/index.ts";
import { stageExam } from "./conformance.ts";

describe("every stage", () => {
  it("is in the table under its name", () => {
    expect(Object.keys(stages).length).toBeGreaterThan(0);
  });
  for (const [name, stage] of Object.entries(stages)) stageExam(name, stage);
});
