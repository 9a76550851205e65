import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import type { PlanItem } from "../../src/pipelines/plan.ts";
import { progress, snapshot } from "../../src/pipelines/progress.ts";
import { RunState } from "../../src/pipelines/state.ts";
import type { Outcome } from "../../src/pipelines/task.ts";
import { frame } from "../stages/fakes.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

function item(name: string, action: PlanItem["action"] = "run", bytes = 100): PlanItem {
  return { source: { name, path: `/x/${name}`, bytes, digest: "d" }, action, why: "", changed: [], key: "k" };
}

function outcome(status: Outcome["status"], reason?: string): Outcome {
  const rest = { verdict: null, counts: new Ledger().counts, seconds: 0, stages: {}, facts: {}, artifacts: [] };
  return { status, ...(reason !== undefined && { reason }), ...rest };
}

/** Four sources, one of them cached; the first is done, the second has given three frames, 2.4 s apart. */
function halfway(): RunState {
  const state = new RunState("find");
  const items = [item("a"), item("b"), item("c", "cached"), item("d", "run", 200)];
  for (const each of items) state.plan(each);
  state.counted = true;
  state.current.set("a", null);
  for (const index of [0, 50]) state.saw("/x/a", frame(index));
  state.end(items[0]!, outcome("done"));
  state.end(items[2]!, outcome("cached"));
  state.current.set("b", null);
  // Out of order, as a careless source may give them.
  for (const index of [60, 0, 30]) state.saw("/x/b", frame(index));
  return state;
}

describe("run state", () => {
  it("counts frames, media seconds by pts, and what is left by bytes", () => {
    const state = halfway();
    vi.advanceTimersByTime(2000);
    expect(snapshot(state)).toEqual({
      items: 2,
      total: 4,
      done: 1,
      cached: 1,
      failed: 0,
      partial: 0,
      stopped: 0,
      seconds: 2,
      frames: 5,
      framesPerSecond: 2.5,
      realTime: 2.2,
      eta: 6,
      current: ["b"],
      standings: {},
    });
  });

  it("takes a task's word for how far it is, before the bytes", () => {
    const state = halfway();
    vi.advanceTimersByTime(2000);
    state.stands("b", { share: 0, words: "step 0/20" });
    expect(state.secondsLeftOf("b")).toBeUndefined();
    vi.advanceTimersByTime(500);
    state.stands("b", { share: 0.25, words: "step 5/20" });
    // 100 bytes and a quarter of 100 took 2.5 s; three quarters of 100 and 200 are left.
    expect(state.secondsLeftOf("b")).toBeCloseTo(1.5, 9);
    expect(snapshot(state)).toMatchObject({
      eta: 5.5,
      current: ["b"],
      standings: { b: { share: 0.25, words: "step 5/20" } },
    });
  });

  it("does not count what a training that goes on had done before", () => {
    const state = new RunState("train");
    state.plan(item("fold-0"));
    state.counted = true;
    state.stands("fold-0", { share: 0.8, words: "" });
    expect(state.eta).toBeUndefined();
    vi.advanceTimersByTime(3000);
    state.stands("fold-0", { share: 0.9, words: "" });
    expect(state.eta).toBeCloseTo(3, 9);
  });

  it("says nothing of the end while it cannot know", () => {
    const state = new RunState("find");
    state.plan(item("a"));
    expect(snapshot(state)).toMatchObject({ total: null, eta: null, frames: 0 });
  });
});

describe("progress", () => {
  function shown(kind: "auto" | "json" | "none", live: boolean) {
    let text = "";
    const write = (more: string) => {
      text += more;
    };
    const taken = () => {
      const all = text;
      text = "";
      return all;
    };
    return { bar: progress(kind, { write, live, columns: 100 }), taken };
  }

  it("is a line every 10 s where there is no terminal, and one at the end", () => {
    const { bar, taken } = shown("auto", false);
    bar.begin(halfway());
    vi.advanceTimersByTime(9_999);
    expect(taken()).toBe("");
    vi.advanceTimersByTime(1);
    const line = "find  2/4 done  0.5 frames/s  0.44× real time  ETA 0:30; skipped 1 (cached)  failed 0  now b\n";
    expect(taken()).toBe(line);
    bar.item(item("b\n"), outcome("failed", "no frames"));
    expect(taken()).toBe("b?: failed: no frames\n");
    bar.end();
    expect(taken()).toBe(line);
    vi.advanceTimersByTime(60_000);
    expect(taken()).toBe("");
  });

  it("shows what a task says of itself, and no speed of media where there is none", () => {
    const { bar, taken } = shown("auto", false);
    const state = new RunState("train");
    state.plan(item("fold 0"));
    state.counted = true;
    state.stands("fold 0", { share: 0, words: "" });
    state.stands("fold 0", { share: 0.5, words: "step 5/10\tloss 1" });
    bar.begin(state);
    vi.advanceTimersByTime(10_000);
    const now = "now fold 0 step 5/10?loss 1";
    expect(taken()).toBe(`train  0/1 done  ETA 0:10; skipped 0 (cached)  failed 0  ${now}\n`);
    bar.end();
  });

  it("is a live block on a terminal, redrawn in place, notes above it", () => {
    const { bar, taken } = shown("auto", true);
    const erase = "\x1b[2A\x1b[0J";
    bar.begin(halfway());
    vi.advanceTimersByTime(200);
    expect(taken().split("\n")).toHaveLength(3);
    bar.note("weights are untrained");
    const [up, ...rest] = taken().split("weights");
    expect(up).toBe(erase);
    expect(rest.join()).toMatch(/^ are untrained\nfind .*\n {2}skipped 1 .*\n$/);
    bar.end();
    expect(taken().startsWith(erase)).toBe(true);
  });

  it("is one JSON object a line by choice, or nothing but notes", () => {
    const { bar, taken } = shown("json", true);
    bar.begin(halfway());
    vi.advanceTimersByTime(1_000);
    bar.note("two\nlines");
    bar.end();
    const events = taken().trimEnd().split("\n");
    expect(events.map((line) => JSON.parse(line).event)).toEqual(["begin", "progress", "note", "end"]);
    const quiet = shown("none", true);
    quiet.bar.begin(halfway());
    vi.advanceTimersByTime(60_000);
    quiet.bar.item(item("a"), outcome("failed", "x"));
    quiet.bar.end();
    expect(quiet.taken()).toBe("");
    quiet.bar.note("heard");
    expect(quiet.taken()).toBe("heard\n");
  });
});
