import { z } from "zod";
import type { Json } from "../digest.ts";
import type { Marker } from "./marker.ts";

/** The video that an entry comes from, through however many levels of a cache, and the labels that went in. */
export interface Origin {
  /** sha256 (hex) of the video's bytes; of what was read, where nobody wrote down from what that was made. */
  readonly digest: string;
  /** sha256 (hex) of the label file beside the video; null without one. */
  readonly labels: string | null;
}

/** What an entry that is made of other entries says of theirs: {@link Origin} among its facts. */
export function originOf({ source, keyParts, facts }: Pick<Marker, "source" | "keyParts" | "facts">): Origin {
  const told = originSchema.safeParse(facts.origin).data;
  return told ?? { digest: source.digest, labels: labelsIn(keyParts) };
}

/** The fact for what is made of an entry; none where it has no labels from a file. */
export function originFact(marker: Marker): { readonly origin?: Json } {
  const { digest, labels } = originOf(marker);
  return labels === null ? {} : { origin: { digest, labels } };
}

const originSchema = z.object({ digest: z.string(), labels: z.string() });
const filesSchema = z.object({
  steps: z.array(z.object({ files: z.record(z.string(), z.string()).optional() })),
});

function labelsIn(keyParts: Json): string | null {
  const steps = filesSchema.safeParse(keyParts).data?.steps ?? [];
  return steps.map(({ files }) => files?.labels).find((labels) => labels !== undefined) ?? null;
}
