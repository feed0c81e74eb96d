import { rounded } from './markdown.ts';

/** A line over the columns; a column without a value breaks it. */
export interface Line {
  /** The class of its colour. */
  readonly name: string;
  /** What stands at its end; null for a dotted line that has nothing written to it. */
  readonly title: string | null;
  readonly values: readonly (number | null)[];
}

export interface Panel {
  readonly at: {
    readonly left: number;
    readonly top: number;
    readonly width: number;
    readonly height: number;
  };
  readonly title: string;
  readonly note: string;
  /** What the columns are. */
  readonly axis: string;
  readonly columns: readonly string[];
  readonly lines: readonly Line[];
  readonly marks: readonly { readonly column: number; readonly value: number; readonly title: string }[];
}

interface Scale {
  readonly decades: readonly number[];
  readonly x: (column: number) => number;
  readonly y: (value: number) => number;
}

/** Space around the plot, for what is written there. */
const ABOVE = 64;
const BELOW = 44;
const BESIDE = 48;
const LABELS = 112;

/** The least distance between two lines of text. */
const LEADING = 15;

/** Draws lines over columns of equal width, on a log scale of whole decades. */
export function drawPanel(panel: Panel): string {
  const { left, top, height } = panel.at;
  const scale = scaleOf(panel);
  return [
    text('title', [left, top + 26], panel.title),
    text('note', [left, top + 44], panel.note),
    ...drawGrid(panel, scale),
    ...panel.lines.filter(({ title }) => title === null).map((line) => drawLine(line, scale)),
    ...panel.lines.filter(({ title }) => title !== null).map((line) => drawLine(line, scale)),
    ...panel.marks.map(({ column, value, title }) => drawMark([scale.x(column), scale.y(value)], title)),
    ...drawLabels(panel, scale),
    text('axis', [left + BESIDE, top + height - 10], panel.axis),
  ].join('\n');
}

function scaleOf({ at, columns, lines, marks }: Panel): Scale {
  const values = [...lines.flatMap((line) => line.values), ...marks.map(({ value }) => value)];
  const logs = values.filter((value) => value !== null).map((value) => Math.log10(value));
  // A panel without any value gets a decade, so that it can be drawn.
  const first = logs.length === 0 ? 0 : Math.floor(Math.min(...logs));
  const last = Math.max(logs.length === 0 ? 1 : Math.ceil(Math.max(...logs)), first + 1);
  const plot = { width: at.width - BESIDE - LABELS, height: at.height - ABOVE - BELOW };
  return {
    decades: Array.from({ length: last - first + 1 }, (_, step) => 10 ** (first + step)),
    x: (column) => at.left + BESIDE + 14 + (column * (plot.width - 28)) / Math.max(columns.length - 1, 1),
    y: (value) => at.top + ABOVE + plot.height * (1 - (Math.log10(value) - first) / (last - first)),
  };
}

function drawGrid({ at, columns }: Panel, { decades, x, y }: Scale): string[] {
  const [from, to] = [at.left + BESIDE, at.left + at.width - LABELS];
  const rules = decades.flatMap((decade) => [
    `<line class="grid" x1="${n(from)}" x2="${n(to)}" y1="${n(y(decade))}" y2="${n(y(decade))}"/>`,
    text('axis', [from - 6, y(decade) + 4], rounded(decade), 'end'),
  ]);
  const names = columns.map((name, column) =>
    text('axis', [x(column), at.top + at.height - BELOW + 18], name, 'middle'),
  );
  return [...rules, ...names];
}

function drawLine({ name, title, values }: Line, { x, y }: Scale): string {
  const points = values.flatMap((value, column) => (value === null ? [] : [[x(column), y(value)] as const]));
  const path = points.map(([px, py], place) => `${place === 0 ? 'M' : 'L'}${n(px)} ${n(py)}`).join(' ');
  const dots = points.map(([px, py]) => `<circle class="dot ${name}" cx="${n(px)}" cy="${n(py)}" r="4"/>`);
  const line = `<path class="line ${name}${title === null ? ' dotted' : ''}" d="${path}"/>`;
  return [line, ...(title === null ? [] : dots)].join('\n');
}

function drawMark([px, py]: readonly [number, number], title: string): string {
  const diamond = `M${n(px)} ${n(py - 7)} l7 7 l-7 7 l-7 -7 z`;
  return `<path class="aim" d="${diamond}"/>\n${text('text-aim', [px - 11, py + 4], title, 'end')}`;
}

/** What stands at the ends of the lines, moved apart where they would cover each other. */
function drawLabels({ lines, columns }: Panel, { x, y }: Scale): string[] {
  const ends = lines.flatMap(({ name, title, values }) => {
    const value = values.at(-1) ?? null;
    return title === null || value === null ? [] : [{ name, value, title, y: y(value) }];
  });
  let lowest = Number.NEGATIVE_INFINITY;
  return ends
    .toSorted((one, other) => one.y - other.y)
    .map(({ name, value, title, y: wanted }) => {
      // Each label has two lines.
      lowest = Math.max(wanted, lowest + 2 * LEADING + 4);
      const at = x(columns.length - 1) + 14;
      return [
        text(`text-${name}`, [at, lowest - 3], title),
        text(`text-${name}`, [at, lowest - 3 + LEADING], rounded(value)),
      ].join('\n');
    });
}

function text(
  style: string,
  [px, py]: readonly [number, number],
  ...[words, anchor = 'start']: readonly [words: string, anchor?: 'start' | 'middle' | 'end']
): string {
  return `<text class="${style}" x="${n(px)}" y="${n(py)}" text-anchor="${anchor}">${words}</text>`;
}

/** A tenth of a pixel is fine enough, and keeps the file small. */
function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}
