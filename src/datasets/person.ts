/**
 * What names of one person have in common: `Ada`, `ada `, and `Zoë` with the dots as a character of their own are typed
 * by people who mean one. For comparing, not for showing.
 */
export function personKey(name: string): string {
  return name.normalize("NFC").trim().replace(/\s+/g, " ").toLowerCase().normalize("NFC");
}

/**
 * The same names, each person's in the first of its spellings, so that nobody stands on both sides of a split.
 * `alike`: other spellings with the first one, each pair once.
 */
export function oneSpelling(names: readonly string[]): { names: string[]; alike: [first: string, other: string][] } {
  const firsts = new Map<string, string>();
  const others = new Map<string, string>();
  const found = names.map((name) => {
    const key = personKey(name);
    const first = firsts.get(key) ?? name;
    firsts.set(key, first);
    if (first !== name) others.set(name, first);
    return first;
  });
  return { names: found, alike: [...others].map(([other, first]) => [first, other]) };
}
