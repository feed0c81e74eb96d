/** A function and the text that makes it. */
export interface NamedText {
  readonly name: string;
  readonly text: string;
}

/**
 * Orders functions so that each comes after those that its text names: PostgreSQL checks the body of a function in SQL
 * when it is made. Functions that name each other keep the order of their names.
 */
export function inOrderOfUse(functions: readonly NamedText[]): NamedText[] {
  const waiting = new Map(functions.map((each) => [each.name, each]));
  const ordered: NamedText[] = [];
  const take = (each: NamedText): void => {
    waiting.delete(each.name);
    for (const other of waiting.values()) {
      if (waiting.has(other.name) && each.text.includes(`${other.name}(`)) take(other);
    }
    ordered.push(each);
  };
  for (const each of functions.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (waiting.has(each.name)) take(each);
  }
  return ordered;
}
