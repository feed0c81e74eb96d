/** Rows as aligned columns for a terminal; `right` names the columns that are aligned to the right. */
export function renderTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string[] {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [header, ...rows].map((row) =>
    header
      .map((title, column) => {
        const cell = row[column] ?? '';
        const width = widths[column] ?? 0;
        return right.includes(title) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
