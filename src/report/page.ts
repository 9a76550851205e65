/** One HTML page that needs nothing but itself: no network, no fonts, light and dark by the reader's own setting. */
export interface Page {
  readonly title: string;
  /** HTML; whatever in it came from outside was escaped with {@link escapeHtml}. */
  readonly body: string;
  /** CSS of this page alone; {@link page} brings colours, type and tables. */
  readonly style?: string;
  /** JavaScript that runs when the page is there; the page must make sense without it. */
  readonly script?: string;
}

export function page({ title, body, style = "", script = "" }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>
${STYLE}${style}</style>
</head>
<body>
${body}
${script && `<script>\n${script}</script>\n`}</body>
</html>
`;
}

/** What a reader must know before any number on the page; nothing where there is nothing to say. */
export function banner(words: string | undefined): string {
  return words === undefined ? "" : `<p class="banner" role="note">${escapeHtml(words)}</p>\n`;
}

/** Text as HTML shows it, in elements and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** A value for a `<script type="application/json">`: no text in it can end the element. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

/**
 * Colours by role. `--c1` … `--c6` are the Okabe–Ito palette (Okabe and Ito, Color Universal Design, 2008), which
 * colour-blind readers tell apart, darkened or lightened to stand off the ground.
 */
const STYLE = `:root {
  color-scheme: light dark;
  --ground: #fff; --raised: #f5f6f8; --line: #d9dde3; --text: #1b1f26; --soft: #5b6472;
  --c1: #0067a5; --c2: #c4521b; --c3: #00795a; --c4: #9c4f86; --c5: #8a6d00; --c6: #3c7fb1;
  --good: #00795a; --warn: #8a6d00; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171c; --raised: #1e2229; --line: #363c46; --text: #e6e9ee; --soft: #9aa4b2;
    --c1: #5bb4f0; --c2: #f08a50; --c3: #3fc79a; --c4: #d68fc0; --c5: #e0c04a; --c6: #8cc4e8;
    --good: #3fc79a; --warn: #e0c04a; --bad: #ff8a80;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem clamp(0.75rem, 3vw, 2rem) 3rem; max-width: 1200px;
  background: var(--ground); color: var(--text);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
h1 { font-size: 1.4rem; margin: 0.4rem 0 0.2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 1.8rem 0 0.4rem; }
p { margin: 0.3rem 0; max-width: 75ch; }
a { color: var(--c1); }
.soft { color: var(--soft); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.6rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; color: var(--soft); }
td.n, th.n { text-align: right; white-space: nowrap; }
.wide { overflow-x: auto; }
.banner { max-width: none; margin: 0.6rem 0; padding: 0.5rem 0.8rem; font-weight: 600; border: 2px solid var(--bad); border-radius: 6px; background: var(--raised); }
`;
