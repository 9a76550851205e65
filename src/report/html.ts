import { escapeHtml } from "./page.ts";

/** Markup that may stand in a page as it is. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = Html | string | number | readonly Part[] | null;

/** A piece of a page: what is put in is escaped unless it is `Html` itself; null is nothing. */
export function html(literals: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(literals.map((literal, i) => (i === 0 ? literal : markup(parts[i - 1]!) + literal)).join(""));
}

function markup(part: Part): string {
  if (part === null) return "";
  if (part instanceof Html) return part.text;
  if (typeof part === "object") return part.map(markup).join("");
  return escapeHtml(String(part));
}
