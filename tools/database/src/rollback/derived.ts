const BEGINNING = /^--\s*Derived, computed again by migration\.sql:/i;

/**
 * The columns that a down.sql declares as derived, as `schema.table.column`: dropping them loses nothing, as
 * migration.sql computes them from what is left. The list goes on in the next comment line after a comma.
 *
 *     -- Derived, computed again by migration.sql: core.wallets.kind,
 *     -- core.wallets.version
 */
export function derivedColumns(downSql: string): Set<string> {
  const names = new Set<string>();
  let isInList = false;
  for (const line of downSql.split(/\r?\n/).map((text) => text.trim())) {
    const isBeginning = BEGINNING.test(line);
    if (!isBeginning && !(isInList && line.startsWith('--'))) {
      isInList = false;
      continue;
    }
    const list = line.replace(isBeginning ? BEGINNING : /^--/, '').trim();
    for (const name of list.split(',').map((part) => part.trim())) if (name !== '') names.add(name);
    isInList = list.endsWith(',') || list === '';
  }
  return names;
}
