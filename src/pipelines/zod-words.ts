import type { z } from "zod";

type Issue = z.core.$ZodIssue;

/** `options.n: Invalid input: expected number, received string`, or `options: Unrecognized key "strid"`. */
export function optionMessage(issue: Issue, key: string | undefined, root = "options"): string {
  const path = [root, ...issue.path.map(String)].filter(Boolean).join(".");
  const message = key === undefined ? issue.message : `Unrecognized key "${key}"`;
  return path ? `${path}: ${message}` : message;
}

/** Every issue by itself: one for each unrecognised key. */
export function* issuesOf(error: z.core.$ZodError): Generator<{ issue: Issue; key?: string }> {
  for (const issue of error.issues) {
    if (issue.code === "unrecognized_keys") for (const key of issue.keys) yield { issue, key };
    else yield { issue };
  }
}
