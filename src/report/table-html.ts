import { Html, html } from "./html.ts";
import { plainText } from "./svg.ts";
import { type ReportTable, shownRows } from "./table.ts";

/**
 * A table of results as markup, in a box that scrolls by itself. Neighbouring columns of one metric stand under one
 * heading: RMSE over VAL, ARO, AVG.
 */
export function tableHtml(table: ReportTable): Html {
  const groups = groupsOf(table.columns);
  const names = table.columns.map((_, i) => table.rows.some((row) => typeof row[i] === "string"));
  const kind = (i: number) => (names[i] ? new Html(' class="name"') : null);
  const head = groups.flatMap((group) =>
    group.columns.map((column, k) => html`<th scope="col"${kind(group.at + k)}>${plainText(column)}</th>`),
  );
  const rows = shownRows(table).map((cells, r) => {
    const row = cells.map((cell, i) =>
      i === 0 ? html`<th scope="row">${plainText(cell)}</th>` : html`<td${kind(i)}>${plainText(cell)}</td>`,
    );
    return html`<tr${rowKind(table, r)}>${row}</tr>\n`;
  });
  return html`<div class="box" tabindex="0"><table>
<caption>${plainText(table.title)}</caption>
<thead>
${groups.some(({ name }) => name !== null) ? html`<tr>${groups.map(groupHead)}</tr>\n` : null}<tr>${head}</tr>
</thead>
<tbody>
${rows}</tbody>
</table></div>
`;
}

interface Group {
  /** null for a column on its own. */
  readonly name: string | null;
  /** Position of its first column. */
  readonly at: number;
  /** Names of its columns, without the group's. */
  readonly columns: readonly string[];
}

function groupsOf(columns: readonly string[]): Group[] {
  const groups: Group[] = [];
  columns.forEach((column, at) => {
    const [, name = null, rest = column] = /^(RMSE|COR|CCC|ICC) (.+)$/.exec(column) ?? [];
    const last = groups.at(-1);
    if (name !== null && last?.name === name) groups[groups.length - 1] = { ...last, columns: [...last.columns, rest] };
    else groups.push({ name, at, columns: [rest] });
  });
  return groups;
}

function groupHead({ name, columns }: Group): Html {
  return name === null ? html`<td></td>` : html`<th scope="colgroup" colspan="${columns.length}">${name}</th>`;
}

/** In a table that says where rows are from, the papers' are grey; a line parts the models. */
function rowKind({ rows, columns }: ReportTable, at: number): Html | null {
  if (columns[1] !== "From") return null;
  const kinds = [rows[at]![1] === "paper" ? "paper" : "", at > 0 && rows[at]![0] !== rows[at - 1]![0] ? "new" : ""];
  const known = kinds.filter(Boolean).join(" ");
  return known === "" ? null : new Html(` class="${known}"`);
}
