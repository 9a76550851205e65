import { clock } from "../duration.ts";
import type { PlanItem } from "./plan.ts";
import type { Progress, RunState } from "./state.ts";
import type { Outcome } from "./task.ts";

export const PROGRESS = ["auto", "json", "none"] as const;

/** Endings whose reason is told at once. */
const TOLD: ReadonlySet<Outcome["status"]> = new Set(["failed", "partial", "stopped"]);

/** Where progress is written: stderr, and whether that is a terminal. */
export interface Screen {
  write(text: string): void;
  readonly live: boolean;
  readonly columns?: number;
}

/** `auto`: a live block on a terminal, elsewhere a line every 10 s; `json`: one object a line; `none`: notes alone. */
export function progress(kind: (typeof PROGRESS)[number], screen: Screen): Progress {
  if (kind === "json") return new JsonLines(screen);
  if (kind === "none") return new Quiet(screen);
  return screen.live ? new LiveBlock(screen) : new Lines(screen);
}

class Quiet implements Progress {
  protected readonly screen: Screen;
  #timer: NodeJS.Timeout | undefined;

  constructor(screen: Screen) {
    this.screen = screen;
  }

  begin(_state: RunState): void {}
  item(_item: PlanItem, _outcome: Outcome): void {}
  note(message: string): void {
    this.screen.write(`${message.split("\n").map(flat).join("\n")}\n`);
  }
  end(): void {
    clearInterval(this.#timer);
  }

  protected every(milliseconds: number, act: () => void): void {
    this.#timer = setInterval(act, milliseconds);
    this.#timer.unref();
  }
}

class Lines extends Quiet {
  #state: RunState | undefined;

  override begin(state: RunState): void {
    this.#state = state;
    this.every(10_000, () => this.#line());
  }
  override item({ source }: PlanItem, { status, reason }: Outcome): void {
    if (TOLD.has(status)) this.note(`${flat(source.name)}: ${status}: ${reason}`);
  }
  override end(): void {
    super.end();
    this.#line();
  }

  #line(): void {
    if (this.#state && this.#state.planned > 0) this.screen.write(`${headline(this.#state)}; ${tail(this.#state)}\n`);
  }
}

class LiveBlock extends Quiet {
  #state: RunState | undefined;
  #drawn = 0;

  override begin(state: RunState): void {
    this.#state = state;
    this.every(200, () => this.#draw());
  }
  override item({ source }: PlanItem, { status, reason }: Outcome): void {
    if (TOLD.has(status)) this.note(`${flat(source.name)}: ${status}: ${reason}`);
  }
  override note(message: string): void {
    this.#clear();
    super.note(message);
    this.#draw();
  }
  override end(): void {
    super.end();
    this.#draw();
  }

  #draw(): void {
    if (!this.#state) return;
    this.#clear();
    const width = (this.screen.columns ?? 80) - 1;
    const lines = [headline(this.#state), `  ${tail(this.#state)}`].map((line) => line.slice(0, width));
    this.screen.write(`${lines.join("\n")}\n`);
    this.#drawn = lines.length;
  }

  #clear(): void {
    // Up over the block, then erase from there to the end of the screen.
    if (this.#drawn > 0) this.screen.write(`\x1b[${this.#drawn}A\x1b[0J`);
    this.#drawn = 0;
  }
}

class JsonLines extends Quiet {
  #state: RunState | undefined;

  override begin(state: RunState): void {
    this.#state = state;
    this.#say("begin", { pipeline: state.pipeline });
    this.every(1_000, () => this.#say("progress", snapshot(state)));
  }
  override item(item: PlanItem, { status, reason, verdict, counts, stages }: Outcome): void {
    this.#say("item", { source: item.source.name, key: item.key, status, reason, verdict, counts, stages });
  }
  override note(message: string): void {
    this.#say("note", { message });
  }
  override end(): void {
    super.end();
    if (this.#state) this.#say("end", snapshot(this.#state));
  }

  #say(event: string, data: object): void {
    this.screen.write(`${JSON.stringify({ event, ...data })}\n`);
  }
}

/** A run's standing as plain data. Seconds; `realTime` is media seconds per wall second. */
export function snapshot(state: RunState) {
  const { ended, items, planned, counted, seconds, frames, mediaSeconds, eta } = state;
  return {
    items,
    total: counted ? planned : null,
    ...ended,
    seconds: round(seconds),
    frames,
    framesPerSecond: round(frames / Math.max(seconds, 1e-3)),
    realTime: round(mediaSeconds / Math.max(seconds, 1e-3)),
    eta: eta === undefined ? null : round(eta),
    current: [...state.current.keys()],
    standings: Object.fromEntries(Array.from(state.current).filter(([, standing]) => standing !== null)),
  };
}

function headline(state: RunState): string {
  const { items, total, framesPerSecond, realTime, eta } = snapshot(state);
  const of = total === null ? `${items} of ${state.planned} or more` : `${items}/${total}`;
  const left = eta === null ? "" : `  ETA ${clock(eta)}`;
  // What gives no media has no such speed.
  const speed = realTime > 0 ? `  ${framesPerSecond.toFixed(1)} frames/s  ${realTime.toFixed(2)}× real time` : "";
  return `${state.pipeline}  ${of} done${speed}${left}`;
}

function tail(state: RunState): string {
  const { cached, failed, partial, stopped } = state.ended;
  const parts = [`skipped ${cached} (cached)`, `failed ${failed}`];
  if (partial > 0) parts.push(`partial ${partial}`);
  if (stopped > 0) parts.push(`stopped ${stopped}`);
  const now = Array.from(state.current, ([name, standing]) => flat(standing ? `${name} ${standing.words}` : name));
  if (now.length > 0) parts.push(`now ${now.join(", ")}`);
  return parts.join("  ");
}

/** Names may hold line breaks and other control characters. */
function flat(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
