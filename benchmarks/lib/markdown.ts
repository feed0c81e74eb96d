/** A Markdown table, its columns as wide as their widest cell. The first column is text, the others are numbers. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => pad(cells[column] ?? '', width, column)).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(header), line(rule), ...rows.map(line)].join('\n');
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}

/** A line of a chart: its name, and one value for each column. */
export interface Line {
  readonly name: string;
  readonly values: readonly number[];
}

/** Lines over columns as a Mermaid XY chart, which code hosts draw. Not all of them name the lines, so the title should. */
export function chart(title: string, columns: readonly string[], lines: readonly Line[]): string {
  const most = Math.max(...lines.flatMap(({ values }) => values));
  const rows = lines.map(({ name, values }) => `  line "${name}" [${values.map(plain).join(', ')}]`);
  const axes = [
    `  x-axis [${columns.map((column) => `"${column}"`).join(', ')}]`,
    `  y-axis 0 --> ${plain(most)}`,
  ];
  return ['```mermaid', 'xychart-beta', `  title "${title}"`, ...axes, ...rows, '```'].join('\n');
}

/** Three digits without separators; 0 where nothing was measured. */
function plain(value: number): string {
  return String(Number.isFinite(value) ? Number(value.toPrecision(3)) : 0);
}

/** One paragraph, broken into lines of at most 110 characters. */
export function paragraph(...sentences: readonly string[]): string {
  const words = sentences.join(' ').split(/\s+/);
  const lines: string[] = [];
  for (const word of words) {
    const longer = `${lines.at(-1) ?? ''} ${word}`;
    if (lines.length > 0 && longer.length <= LINE) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.join('\n');
}

const LINE = 110;

/**
 * Three digits are as many as a repeated measurement confirms: `11,318.4` is `11,300`, `0.4279` is `0.428`. A dash
 * where nothing was measured.
 */
export function rounded(value: number): string {
  if (Number.isNaN(value)) return '-';
  return new Intl.NumberFormat('en', { maximumSignificantDigits: 3 }).format(value);
}

export function whole(value: number): string {
  return new Intl.NumberFormat('en', { maximumFractionDigits: 0 }).format(value);
}
