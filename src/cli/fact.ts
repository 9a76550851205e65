import type { Json } from "../digest.ts";

/**
 * A fact of a run on one line, to be read and not parsed: report.json has all digits.
 * - `blazeface (onnx, cpu)` for { name: "blazeface", engine: "onnx", provider: "cpu" }: what has a name is called by it
 * - `valence -1 to 1, arousal 0 to 5` for { valence: [-1, 1], arousal: [0, 5] }: members by name, intervals by their ends
 * - `7 in report.json` for a list of objects, which is a table
 */
export function factInWords(fact: Json): string {
  if (Array.isArray(fact)) return listInWords(fact);
  if (typeof fact === "number") return numberInWords(fact);
  if (typeof fact === "string") return fact.replace(/\b[0-9a-f]{64}\b/g, (digest) => `${digest.slice(0, 12)}…`);
  if (fact === null || typeof fact !== "object") return String(fact);
  const { name, ...rest } = fact as Record<string, Json | undefined>;
  const known = Object.entries(rest).filter((member): member is [string, Json] => member[1] != null);
  if (name === undefined) return known.map(memberInWords).join(", ") || "none";
  // Beside a name, words speak for themselves: an engine, why it was taken.
  const others = known.map((member) =>
    typeof member[1] === "string" ? factInWords(member[1]) : memberInWords(member),
  );
  return `${factInWords(name)}${others.length > 0 ? ` (${others.join(", ")})` : ""}`;
}

function memberInWords([name, value]: readonly [string, Json]): string {
  if (isInterval(value)) return `${name} ${value.map(numberInWords).join(" to ")}`;
  const words = factInWords(value);
  const nested = value !== null && typeof value === "object";
  // Names of its own members would run into those of their neighbours.
  return nested && !isNamed(value) ? `${name} (${words})` : `${name} ${words}`;
}

function listInWords(list: readonly Json[]): string {
  const tabular = list.some((each) => each !== null && typeof each === "object" && !Array.isArray(each));
  if (tabular && list.length > 1) return `${list.length} in report.json`;
  return list.map((each) => (Array.isArray(each) ? `(${listInWords(each)})` : factInWords(each))).join(", ") || "none";
}

/** Of an object's member: two numbers, the first of which is less. */
function isInterval(value: Json): value is readonly [number, number] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [low, high] = value as readonly Json[];
  return typeof low === "number" && typeof high === "number" && low < high;
}

function isNamed(value: object): boolean {
  return "name" in value;
}

function numberInWords(value: number): string {
  return Number.isInteger(value) ? `${value}` : `${Number(value.toPrecision(4))}`;
}
