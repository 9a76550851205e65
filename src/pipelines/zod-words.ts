import type { z } from "zod";

type Issue = z.core.$ZodIssue;

/** `options.n takes a number`, or `There is no option "strid".` */
export function optionMessage(issue: Issue, key: string | undefined, root = "options"): string {
  const path = [root, ...issue.path.map(String)].filter(Boolean).join(".");
  const message = key === undefined ? issueInWords(issue) : `has no member "${key}"`;
  return path ? `${path} ${message}` : message;
}

/** What is wrong with a value, to follow its name: "takes a number", "is to be at least 2". */
export function issueInWords(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      if (/received undefined$/.test(issue.message)) return "is needed";
      return `takes ${KINDS[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `takes one of ${issue.values.map(String).join(", ")}`;
    case "too_small":
      return `is to ${limited(issue.origin, issue.inclusive === false ? "more than" : "at least", Number(issue.minimum))}`;
    case "too_big":
      return `is to ${limited(issue.origin, issue.inclusive === false ? "less than" : "at most", Number(issue.maximum))}`;
    case "invalid_union":
      return union(issue);
    case "invalid_format":
      return /^Invalid /.test(issue.message) ? "is not written as it is to be" : issue.message;
    default:
      return issue.message;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  number: "a number",
  int: "a whole number",
  string: "text",
  boolean: "true or false",
  array: "a list of values",
  object: "a map of values by name",
  record: "a map of values by name",
};

function limited(origin: string, comparison: string, limit: number): string {
  if (origin === "string") return `have ${comparison} ${limit} ${limit === 1 ? "character" : "characters"}`;
  if (origin === "array") return `have ${comparison} ${limit} ${limit === 1 ? "value" : "values"}`;
  return `be ${comparison} ${limit}`;
}

/** Of the forms that a value may have, what keeps it from each. */
function union({ errors, message }: z.core.$ZodIssueInvalidUnion): string {
  const each = errors.flatMap((issues) => (issues[0] ? [issueInWords(issues[0])] : []));
  return each.length > 0 ? [...new Set(each)].join(", or ") : message;
}

/** Every issue by itself: one for each unrecognised key. */
export function* issuesOf(error: z.core.$ZodError): Generator<{ issue: Issue; key?: string }> {
  for (const issue of error.issues) {
    if (issue.code === "unrecognized_keys") for (const key of issue.keys) yield { issue, key };
    else yield { issue };
  }
}
