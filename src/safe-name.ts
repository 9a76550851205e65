/** A source's name as one plain file name of at most 50 characters; names that differ may become one. */
export function safeName(name: string): string {
  const plain = name
    .normalize("NFC")
    .replace(/[^\p{L}\p{N}._-]+/gu, "_")
    .replace(/^[._-]+/, "");
  return [...plain].slice(0, 50).join("") || "source";
}
