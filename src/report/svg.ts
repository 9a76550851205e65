import type { TopLevelSpec } from "vega-lite";
import { GRID, INK, LIGHT, SOFT } from "./palette.ts";
import { textWidth } from "./text-width.ts";

/** A drawn figure. Its colours are CSS variables, which the page that it is put into must set. */
export interface Drawing {
  readonly svg: string;
  readonly width: number;
  readonly height: number;
}

/**
 * Draws a Vega-Lite specification; no DOM, no canvas, no network. Equal specifications give equal bytes.
 *
 * @param prefix of the ids inside, so that several drawings can stand in one page
 */
export async function draw(spec: TopLevelSpec, prefix: string): Promise<Drawing> {
  const [vega, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  measureText(vega);
  vega.resetSVGDefIds();
  // It warns of series without numbers, for instance; an empty plot says the same.
  const silent = vega.logger(vega.None);
  const { spec: compiled } = compile({ config: CONFIG, ...spec } as TopLevelSpec, { logger: silent });
  const view = new vega.View(vega.parse(compiled), { renderer: "none", logger: silent });
  try {
    const svg = await view.toSVG();
    return { svg: svg.replace(/<[^>]*>/g, (tag) => tidy(tag, prefix)), ...sizeOf(svg) };
  } finally {
    view.finalize();
  }
}

/** Without a canvas Vega takes all letters for 0.8 em wide, and with one it asks the machine's fonts: ours are the same everywhere. */
function measureText(vega: object): void {
  const { textMetrics } = vega as { textMetrics: { width: (item: TextItem, text: unknown) => number } };
  textMetrics.width = (item, text) => textWidth(String(text ?? ""), item.fontSize ?? 11, item.fontWeight === "bold");
}

/** What is told of a text by Vega, whose types leave its measure out. */
interface TextItem {
  readonly fontSize?: number;
  readonly fontWeight?: unknown;
}

/** A file on its own: the light colours, and white behind. */
export function asFile({ svg, width, height }: Drawing): string {
  const coloured = svg.replace(/var\(--([a-z0-9-]+)\)/g, (whole, name: string) => PRINTED[name] ?? whole);
  const ground = `<rect width="${width}" height="${height}" fill="#fff"/>`;
  return `${coloured.replace(/^<svg[^>]*>/, (root) => `${root}${ground}`)}\n`;
}

/** Text as it may stand in a figure: XML has no place for control characters and halves of surrogate pairs. */
export function plainText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\ufffe\uffff]|\p{Surrogate}/gu, "\ufffd");
}

const PRINTED: Readonly<Record<string, string>> = { ...LIGHT, text: "#1b1f26", soft: "#5b6472", line: "#d9dde3" };

const FONT = "Arial, Helvetica, Liberation Sans, sans-serif";

const CONFIG: NonNullable<TopLevelSpec["config"]> = {
  aria: false,
  background: "transparent",
  font: FONT,
  padding: 4,
  view: { stroke: null },
  axis: {
    labelColor: SOFT,
    titleColor: INK,
    domainColor: SOFT,
    tickColor: SOFT,
    gridColor: GRID,
    titleFontWeight: "normal",
    labelFontSize: 11,
    titleFontSize: 12,
    labelLimit: 0,
    titleLimit: 0,
  },
  legend: {
    labelColor: INK,
    titleColor: INK,
    titleFontWeight: "normal",
    labelFontSize: 11,
    titleFontSize: 11,
    labelLimit: 0,
    titleLimit: 0,
    symbolSize: 320,
    symbolStrokeWidth: 2,
  },
  header: { labelColor: INK, titleColor: INK, labelFontSize: 12, labelLimit: 0 },
  title: { color: INK, fontSize: 12, fontWeight: "normal", anchor: "start", limit: 0 },
};

function sizeOf(svg: string): { width: number; height: number } {
  const [, width, height] = /<svg[^>]* width="([\d.]+)" height="([\d.]+)"/.exec(svg) ?? [];
  return { width: Number(width), height: Number(height) };
}

/** A tag whose ids are its page's own, in thousandths of a pixel, without what only matters where a pointer moves. */
function tidy(tag: string, prefix: string): string {
  return tag
    .replace(/ pointer-events="none"| aria-[a-z]+="[^"]*"| role="[^"]*"/g, "")
    .replace(/( id="|url\(#)/g, `$1${prefix}-`)
    .replace(/-?\d+\.\d{4,}/g, (number) => String(Math.round(Number(number) * 1000) / 1000));
}
