/** Does the text hold a wildcard: * ? [ or {? */
export function isGlob(pattern: string): boolean {
  return /[*?[{]/.test(pattern);
}

/** The folder that a glob's matches all lie in: its leading segments without wildcards; "" for the current folder. */
export function globBase(pattern: string): string {
  const segments = pattern.split("/");
  const first = segments.findIndex(isGlob);
  const base = segments.slice(0, first).join("/");
  return base === "" && pattern.startsWith("/") ? "/" : base;
}

/**
 * A matcher of paths relative to the glob's base, with "/" between segments. `*` and `?` stay within a segment, `**` spans
 * any number of them, `[a-z]` and `[!a-z]` are one character, `{a,b}` is either. A wildcard at the start of a segment does not match
 * a dot.
 */
export function globMatcher(pattern: string): (path: string) => boolean {
  const rest = pattern.slice(globBase(pattern).length).replace(/^\/+/, "");
  const regex = new RegExp(`^${rest.split("/").map(segment).join("/").replaceAll("**/", "(?:(?!\\.)[^/]+/)*")}$`, "su");
  return (path) => regex.test(path);
}

function segment(text: string): string {
  if (text === "**") return "**";
  let out = /^[*?[]/.test(text) ? "(?!\\.)" : "";
  let braces = 0;
  for (let k = 0; k < text.length; k++) {
    const c = text[k]!;
    const close = text.indexOf("]", k + 2);
    if (c === "*") out += "[^/]*";
    else if (c === "?") out += "[^/]";
    else if (c === "[" && close > 0) {
      const inner = text
        .slice(k + 1, close)
        .replace(/^!/, "^")
        .replace(/[\\[\]&~]/g, "\\$&");
      out += `[${inner}]`;
      k = close;
    } else if (c === "{") {
      braces++;
      out += "(?:";
    } else if (c === "}" && braces > 0) {
      braces--;
      out += ")";
    } else if (c === "," && braces > 0) out += "|";
    else out += c.replace(/[.+^$()|[\]{}\\/]/g, "\\$&");
  }
  return out + ")".repeat(braces);
}
