import type { Experiment } from "./experiment.ts";
import { STYLE } from "./experiment-style.ts";
import type { Figure } from "./figures/figure.ts";
import type { Section } from "./figures/index.ts";
import { Html, html } from "./html.ts";
import { page } from "./page.ts";
import { type Drawing, plainText } from "./svg.ts";
import type { ReportTable } from "./table.ts";
import { tableHtml } from "./table-html.ts";

export interface DrawnFigure extends Omit<Figure, "panels"> {
  readonly drawings: readonly Drawing[];
  /** Names of its files in `figures/`, without their endings. */
  readonly files: readonly string[];
}

export interface PageTable {
  /** Name of its file in `tables/`, without its ending. */
  readonly file: string;
  readonly table: ReportTable;
}

export interface PageParts {
  readonly results: PageTable;
  readonly gain: PageTable;
  readonly seen: PageTable;
  readonly runs: PageTable;
  readonly correlations: PageTable;
  readonly figures: Readonly<Record<Section, readonly DrawnFigure[]>>;
}

/** One page that needs no other file and no network, light or dark as the reader's system is. */
export function pageOf(
  experiment: Experiment,
  { results, gain, seen, runs, correlations, figures }: PageParts,
): string {
  const { title, dataset, synthetic, facts, notes, models } = experiment;
  const sections: readonly [id: string, heading: string, body: readonly Html[]][] = [
    ["results", "Results", models.length + experiment.paper.length > 0 ? [shownTable(results)] : []],
    ["gain", "Gain", experiment.gains.length > 0 ? [shownTable(gain)] : []],
    ["length", "Scores against n", figures.scores.map(figureOf)],
    [
      "seen",
      "Within a window",
      [...figures.seen.map(figureOf), ...(experiment.bySeen.models.length > 0 ? [folded(seen)] : [])],
    ],
    ["traces", "Over time", figures.traces.map(figureOf)],
    [
      "attention",
      "Attention",
      [...figures.attention.map(figureOf), ...(experiment.correlations.length > 0 ? [folded(correlations)] : [])],
    ],
    ["training", "Training", figures.training.map(figureOf)],
    ["runs", "Run by run", models.length > 0 ? [folded(runs)] : []],
    ["facts", "How it was made", facts.length > 0 ? [factsOf(experiment)] : []],
  ];
  const shown = sections.filter(([, , body]) => body.length > 0);
  const body = html`<header>
<h1>${plainText(title)}</h1>
<p class="soft">${plainText(dataset)}</p>
${synthetic === null ? null : html`<p class="caution"><strong>Not real data.</strong> ${plainText(synthetic)}</p>\n`}${listOf(notes)}
${shown.length > 1 ? html`<nav>${shown.map(([id, heading]) => html`<a href="#${id}">${heading}</a> `)}</nav>\n` : null}</header>
<main data-report="${MARK}">
${shown.length === 0 ? html`<p>There is nothing to show: no model, no trace and no training was given.</p>\n` : null}${shown.map(
  ([id, heading, parts]) => html`<section id="${id}">\n<h2>${heading}</h2>\n${parts}</section>\n`,
)}</main>
`;
  return page({ title: plainText(title), body: body.text, style: STYLE });
}

/** By which a folder is known as a report that may be written over. */
export const MARK = "affect-pipe experiment";

function listOf(notes: readonly string[]): Html | null {
  return notes.length === 0
    ? null
    : html`<ul class="notes">${notes.map((note) => html`<li>${plainText(note)}</li>`)}</ul>`;
}

function figureOf({ id, title, caption, drawings, files }: DrawnFigure): Html {
  const label = plainText(`${title}. ${caption}`);
  const names = files.map((file) => `figures/${file}.svg`).join(", ");
  return html`<figure id="${id}">
<h3>${plainText(title)}</h3>
<div class="panels">${drawings.map((drawing) => boxOf(drawing, label))}</div>
<figcaption>${plainText(caption)} <small>${names}; also as PNG</small></figcaption>
</figure>
`;
}

/** A drawing, which scrolls by itself where the page is narrow. */
function boxOf({ svg, width }: Drawing, label: string): Html {
  return html`<div class="box" tabindex="0" role="img" aria-label="${label}" style="--w:${width}px">${new Html(svg)}</div>`;
}

function shownTable({ table, file }: PageTable): Html {
  return html`${tableHtml(table)}${listOf(table.notes)}
<p><small>tables/${file}.csv, with all digits</small></p>
`;
}

function folded(part: PageTable): Html {
  return html`<details><summary>${plainText(part.table.title)}</summary>${shownTable(part)}</details>
`;
}

function factsOf({ facts }: Experiment): Html {
  return html`<dl>${facts.map(
    ({ name, text }) => html`<dt>${plainText(name)}</dt><dd>${text.split("\n").map(plainText).join("\n")}</dd>
`,
  )}</dl>`;
}
