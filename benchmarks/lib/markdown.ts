/** The title of a column, and what stands in it. */
export type Column<Row> = readonly [title: string, cell: (row: Row) => string];

/** A Markdown table, its columns as wide as their widest cell. The first column is text, the others are numbers. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = columns.map(([title, cell]) => [title, ...rows.map(cell)]);
  const widths = cells.map((texts) => Math.max(3, ...texts.map((text) => text.length)));
  const line = (place: number) =>
    widths.map((width, column) => {
      const text = cells[column]?.[place] ?? '';
      return column === 0 ? text.padEnd(width) : text.padStart(width);
    });
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(0), rule, ...rows.map((_, row) => line(row + 1))]
    .map((texts) => `| ${texts.join(' | ')} |`)
    .join('\n');
}

/** A line of a chart: its name, and one value for each column. */
type Line = readonly [name: string, values: readonly number[]];

/** Lines over columns as a Mermaid XY chart, which code hosts draw. Not all of them name the lines, so the title should. */
export function chart(title: string, columns: readonly string[], lines: readonly Line[]): string {
  const most = Math.max(...lines.flatMap(([, values]) => values.filter(Number.isFinite)), 1);
  const rows = lines.map(([name, values]) => `  line "${name}" [${values.map(plain).join(', ')}]`);
  const names = columns.map((column) => `"${column}"`).join(', ');
  const axes = [`  x-axis [${names}]`, `  y-axis 0 --> ${plain(most)}`];
  return ['```mermaid', 'xychart-beta', `  title "${title}"`, ...axes, ...rows, '```'].join('\n');
}

/** Three digits without separators; 0 where nothing was measured. */
function plain(value: number): string {
  return String(Number.isFinite(value) ? Number(value.toPrecision(3)) : 0);
}

/** What `{{name}}` in a template stands for; undefined where nothing was measured. */
export type Values = Readonly<Record<string, string | undefined>>;

/** A template with its values. A section for which one of them is undefined is left out. */
export function fill(template: string, values: Values): string {
  const names = (text: string) => [...text.matchAll(/\{\{(.+?)\}\}/g)].map(([, name = '']) => name);
  const unknown = names(template).find((name) => !(name in values));
  if (unknown !== undefined) throw new RangeError(`the template asks for ${unknown}`);
  return template
    .split(/^(?=##? )/m)
    .filter((section) => names(section).every((name) => values[name] !== undefined))
    .join('')
    .replaceAll(/\{\{(.+?)\}\}/g, (_, name: string) => values[name] ?? '')
    .replaceAll(/\n{3,}/g, '\n\n');
}

/**
 * Three digits are as many as a repeated measurement confirms: `11,318.4` is `11,300`, `0.4279` is `0.428`. A dash
 * where nothing was measured.
 */
export function rounded(value: number): string {
  return Number.isNaN(value)
    ? '-'
    : new Intl.NumberFormat('en', { maximumSignificantDigits: 3 }).format(value);
}

export function whole(value: number): string {
  return Number.isNaN(value) ? '-' : new Intl.NumberFormat('en', { maximumFractionDigits: 0 }).format(value);
}
