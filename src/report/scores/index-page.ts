import { banner, escapeHtml, page, scriptJson } from "../page.ts";
import type { IndexRow } from "./index-rows.ts";
import { clock } from "./timeline.ts";

/**
 * The index of an archive: a table of all videos that is sorted, filtered and paged in the browser, each name leading to its
 * timeline. Rows travel as data and a page of them is shown at a time, so that ten thousand do no harm.
 */
export function indexPage(rows: readonly IndexRow[]): string {
  const count = (status: IndexRow["status"]) => rows.filter((row) => row.status === status).length;
  const seconds = rows.reduce((sum, row) => sum + (row.seconds ?? 0), 0);
  const counts = (["done", "partial", "failed", "stopped"] as const)
    .map((status) => [status, count(status)] as const)
    .filter(([, n]) => n > 0)
    .map(([status, n]) => `<b class="${status}">${n}</b> ${status}`);
  const body = `<h1>Scored videos</h1>
${warned(rows)}<p class="soft">${rows.length} videos, ${escapeHtml(clock(Math.round(seconds) * 1e6))} in all: ${counts.join(", ") || "nothing yet"}. The same as a table: <a href="index.csv">index.csv</a>.</p>
<noscript><p>The table needs JavaScript; <a href="index.csv">index.csv</a> does not.</p></noscript>
<div class="tools" hidden>
<input type="search" placeholder="filter by name or reason" aria-label="filter">
<select aria-label="status"><option value="">any status</option><option>done</option><option>partial</option><option>failed</option><option>stopped</option></select>
<span class="soft" id="found"></span>
</div>
<div class="wide"><table id="table" hidden><thead><tr></tr></thead><tbody></tbody></table></div>
<div class="pages" hidden><button type="button" id="back">←</button> <span id="page"></span> <button type="button" id="next">→</button></div>
<script type="application/json" id="data">${scriptJson(rows.map(packed))}</script>`;
  return page({ title: `${rows.length} scored videos`, body, style: STYLE, script: SCRIPT });
}

/** Each caution once; of how many videos, where it is not all of them. */
function warned(rows: readonly IndexRow[]): string {
  const scored = rows.filter(({ folder }) => folder !== "");
  return [...new Set(scored.map(({ caution }) => caution))]
    .filter((caution) => caution !== "")
    .map((caution) => {
      const own = scored.filter((row) => row.caution === caution).length;
      return banner(own === scored.length ? caution : `${own} of ${scored.length} scored videos: ${caution}`);
    })
    .join("");
}

/** As the script reads it, by place: names of fields would be most of the page. */
function packed(row: IndexRow) {
  const { name, folder, status, verdict, reason, seconds, tracks, coverage, valence, arousal } = row;
  const cut = (value: number | null, digits: number) => (value === null ? null : Number(value.toFixed(digits)));
  const link = folder === "" ? "" : `${folder.split("/").map(encodeURIComponent).join("/")}/timeline.html`;
  return [
    name,
    link,
    status,
    verdict,
    reason,
    cut(seconds, 1),
    tracks,
    cut(coverage, 3),
    cut(valence, 3),
    cut(arousal, 3),
  ];
}

const STYLE = `
.tools { display: flex; flex-wrap: wrap; gap: 0.6rem; align-items: center; margin: 0.9rem 0 0.4rem; }
.tools input { flex: 1 1 14rem; max-width: 26rem; }
input, select, button { font: inherit; color: inherit; background: var(--raised); border: 1px solid var(--line); border-radius: 5px; padding: 0.3rem 0.6rem; }
button:disabled { opacity: 0.4; }
#table { width: 100%; }
th button { all: unset; cursor: pointer; font-weight: 600; white-space: nowrap; }
th button:focus-visible { outline: 2px solid var(--c1); }
td:first-child { overflow-wrap: anywhere; min-width: 11rem; }
td small { color: var(--soft); max-width: 60ch; cursor: pointer; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }
td small.all { display: block; }
@media (max-width: 40rem) { tr > :nth-child(3) { display: none; } td:first-child { min-width: 9rem; } }
.done { color: var(--good); } .partial { color: var(--warn); } .failed { color: var(--bad); } .stopped { color: var(--soft); }
.pages { margin: 0.8rem 0; }
.bar { display: inline-block; width: 3rem; height: 0.55rem; border-radius: 2px; background: var(--line); margin-right: 0.4rem; overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--c3); }
`;

const SCRIPT = `
const rows = JSON.parse(document.getElementById("data").textContent);
const [NAME, LINK, STATUS, VERDICT, REASON, SECONDS, TRACKS, COVERAGE, VALENCE, AROUSAL] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const clock = (s) => {
  const two = (n) => String(n).padStart(2, "0"), whole = Math.round(s);
  return (whole >= 3600 ? Math.floor(whole / 3600) + ":" + two(Math.floor(whole / 60) % 60) : Math.floor(whole / 60)) + ":" + two(whole % 60);
};
const signed = (x) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(2);
const text = (cell, value) => { cell.textContent = value; };
const number = (show) => (cell, row, at) => { cell.className = "n"; text(cell, row[at] === null ? "–" : show(row[at])); };
const columns = [
  ["video", NAME, (cell, row) => {
    if (row[LINK]) { const a = document.createElement("a"); a.href = row[LINK]; text(a, row[NAME]); cell.append(a); }
    else text(cell, row[NAME]);
    if (row[REASON]) { const small = document.createElement("small"); text(small, row[REASON]); small.addEventListener("click", () => small.classList.toggle("all")); cell.append(small); }
  }],
  ["status", STATUS, (cell, row) => { cell.className = row[STATUS]; text(cell, row[STATUS]); }],
  ["verdict", VERDICT, (cell, row) => text(cell, row[VERDICT] || "–")],
  ["duration", SECONDS, number(clock)],
  ["tracks", TRACKS, number(String)],
  ["valence", VALENCE, number(signed)],
  ["arousal", AROUSAL, number(signed)],
  ["coverage", COVERAGE, (cell, row) => {
    cell.className = "n";
    if (row[COVERAGE] === null) return text(cell, "–");
    const bar = document.createElement("span"), fill = document.createElement("i");
    bar.className = "bar"; fill.style.width = row[COVERAGE] * 100 + "%"; bar.append(fill);
    cell.append(bar, Math.round(row[COVERAGE] * 100) + " %");
  }],
];
const PAGE = 100;
const at = (selector) => document.querySelector(selector);
const [search, status, body] = [at("input"), at("select"), at("tbody")];
let sorted = { by: NAME, up: true }, first = 0, shown = rows;
const names = new Intl.Collator(undefined, { numeric: true });
/** Rows without a value come last, whichever way. */
const order = (a, b) => {
  const [x, y] = [a[sorted.by], b[sorted.by]];
  if (x === null || y === null) return (x === null) - (y === null);
  const way = typeof x === "number" ? x - y : names.compare(x, y);
  return sorted.up ? way : -way;
};
const draw = () => {
  body.replaceChildren(...shown.slice(first, first + PAGE).map((row) => {
    const line = document.createElement("tr");
    for (const [, place, fill] of columns) fill(line.appendChild(document.createElement("td")), row, place);
    return line;
  }));
  text(at("#found"), shown.length === rows.length ? "" : shown.length + " of " + rows.length);
  text(at("#page"), shown.length === 0 ? "none" : first + 1 + "–" + Math.min(first + PAGE, shown.length) + " of " + shown.length);
  at("#back").disabled = first === 0;
  at("#next").disabled = first + PAGE >= shown.length;
  at(".pages").hidden = shown.length <= PAGE;
  document.querySelectorAll("th").forEach((head, i) => {
    const mine = columns[i][1] === sorted.by;
    head.setAttribute("aria-sort", mine ? (sorted.up ? "ascending" : "descending") : "none");
    text(head.firstChild, columns[i][0] + (mine ? (sorted.up ? " ↑" : " ↓") : ""));
  });
};
const look = () => {
  const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
  shown = rows.filter((row) => {
    const all = (row[NAME] + " " + row[REASON]).toLowerCase();
    return (!status.value || row[STATUS] === status.value) && words.every((word) => all.includes(word));
  }).sort(order);
  first = 0;
  draw();
};
for (const [, place] of columns) {
  const head = document.createElement("th"), button = document.createElement("button");
  if ([SECONDS, TRACKS, VALENCE, AROUSAL, COVERAGE].includes(place)) head.className = "n";
  button.type = "button";
  button.addEventListener("click", () => { sorted = { by: place, up: sorted.by === place ? !sorted.up : true }; look(); });
  head.append(button);
  at("thead tr").append(head);
}
search.addEventListener("input", look);
status.addEventListener("change", look);
at("#back").addEventListener("click", () => { first -= PAGE; draw(); });
at("#next").addEventListener("click", () => { first += PAGE; draw(); });
at(".tools").hidden = at("#table").hidden = false;
look();
`;
