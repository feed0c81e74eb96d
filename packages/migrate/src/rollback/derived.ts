const declaration = /^--\s*Derived, computed again by migration\.sql:\s*(?<list>.*(?:,\s*\n--.*)*)$/gim;

/**
 * The columns that a down.sql declares as derived, as `schema.table.column`: dropping them loses nothing, as
 * migration.sql computes them from what is left.
 *
 *     -- Derived, computed again by migration.sql: core.wallets.kind,
 *     -- core.wallets.version
 */
export function derivedColumns(downSql: string): Set<string> {
  const lists = [...downSql.replaceAll('\r\n', '\n').matchAll(declaration)];
  const names = lists.flatMap(({ groups }) => (groups?.['list'] ?? '').replace(/\n--/g, ' ').split(','));
  return new Set(names.map((name) => name.trim().replace(/\.$/, '')).filter((name) => name !== ''));
}
