/**
 * Fills in the `${NAME}` of a template.
 *
 * @throws RangeError for a name that has no value, and for a value that the template does not name
 */
export function fillIn(template: string, values: Readonly<Record<string, string>>): string {
  const used = new Set<string>();
  const text = template.replaceAll(/\$\{([A-Z_]+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new RangeError(`the template needs ${name}`);
    used.add(name);
    return value;
  });
  const unused = Object.keys(values).filter((name) => !used.has(name));
  if (unused.length > 0) throw new RangeError(`the template does not name ${unused.join(', ')}`);
  return text;
}
