import type { TopLevelSpec } from "vega-lite";

/** A figure of a report: one or more panels, which stand side by side where the page is wide enough. */
export interface Figure {
  /** Of its files: letters, digits and hyphens. */
  readonly id: string;
  readonly title: string;
  /** What is drawn, in sentences; a reader who cannot see it gets this. */
  readonly caption: string;
  readonly panels: readonly Panel[];
}

export interface Panel {
  /** Of its files, which are named `<figure>-<panel>`; empty for the only panel of a figure. */
  readonly id: string;
  readonly spec: TopLevelSpec;
}

/** JSON has no NaN: a gap in a line. */
export function orGap(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

export function capital(word: string): string {
  return `${word[0]?.toUpperCase() ?? ""}${word.slice(1)}`;
}
