import { DARK, LIGHT } from "./palette.ts";

const variables = (colours: Readonly<Record<string, string>>) =>
  Object.entries(colours)
    .map(([name, colour]) => `--${name}:${colour}`)
    .join(";");

/** What a report of an experiment adds to the page's look. What is too wide scrolls inside its own box, never the page. */
export const STYLE = `:root { ${variables(LIGHT)} }
@media (prefers-color-scheme: dark) { :root { ${variables(DARK)} } }
body { overflow-wrap: anywhere; }
h2 { margin-top: 2.5rem; padding-top: 0.75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 0.5rem; }
.caution { background: var(--raised); border-left: 4px solid var(--warn); margin: 1rem 0; padding: 0.6rem 0.9rem; }
.notes { margin: 0.5rem 0; padding-left: 1.2rem; max-width: 75ch; color: var(--soft); font-size: 0.9rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; margin-top: 1rem; }
figure { margin: 1.5rem 0 2rem; }
figcaption, small { color: var(--soft); font-size: 0.875rem; }
figcaption { max-width: 75ch; margin-top: 0.5rem; }
figcaption small { display: block; font-size: 0.75rem; }
.panels { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; }
.box { max-width: 100%; overflow-x: auto; }
.box:focus-visible { outline: 2px solid var(--c1); outline-offset: 2px; }
.box svg { display: block; width: var(--w); max-width: 100%; min-width: min(var(--w), 32rem); height: auto; }
.box table { font-size: 0.8rem; white-space: nowrap; overflow-wrap: normal; }
.box caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.box th, .box td { padding: 0.2rem 0.4rem; text-align: right; font-weight: 400; border-bottom: 0; }
.box thead tr:last-child th { border-bottom: 1px solid var(--soft); }
.box th[colspan] { text-align: center; border-bottom: 1px solid var(--line); }
.box th[scope="row"] { white-space: normal; min-width: 7.5rem; max-width: 11rem; overflow-wrap: break-word; }
.box th[scope="row"], .box .name { text-align: left; color: inherit; }
.box tr > :first-child { position: sticky; left: 0; background: var(--ground); }
.box tr.new > * { border-top: 1px solid var(--line); }
.box tr.paper > * { color: var(--soft); }
details { margin: 0.5rem 0; }
summary { cursor: pointer; padding: 0.25rem 0; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: 0.35rem 1.25rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; white-space: pre-line; }
@media (max-width: 40rem) { dl { display: block; } dt { margin-top: 0.6rem; } }
@media print { nav { display: none; } .box { overflow: visible; } }
`;
