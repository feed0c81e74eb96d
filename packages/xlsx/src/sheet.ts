import { SaxesParser } from 'saxes';
import type { SharedStrings } from './shared-strings.ts';
import type { Cell, TableRow } from './table-row.ts';

/** Cells beyond this column are left out: a statement has fourteen. */
const LAST_COLUMN = 255;

/** What was read of a sheet so far, and the fault that ended it. */
interface SheetPart {
  readonly rows: readonly TableRow[];
  readonly fault: unknown;
}

interface SheetReader {
  read(text: string): SheetPart;
  end(): SheetPart;
  /** The row that was read last. */
  readonly row: number;
}

interface SheetOptions {
  readonly strings: SharedStrings;
  /** Days to add to numbers that are dates: 1462 in workbooks of the 1904 calendar. */
  readonly shift: number;
}

/** Reads the XML of a sheet, piece by piece. */
export function createSheetReader({ strings, shift }: SheetOptions): SheetReader {
  const parser = new SaxesParser({ xmlns: false as const, position: false });
  let rows: TableRow[] = [];
  let number = 0;
  let cells: Cell[] = [];
  let column = -1;
  let type = '';
  let text = '';
  let isValue = false;

  parser.on('opentag', ({ name, attributes }) => {
    const tag = name.slice(name.indexOf(':') + 1);
    if (tag === 'row') {
      number = Number(attributes['r'] ?? number + 1);
      cells = [];
      column = -1;
    } else if (tag === 'c') {
      column = columnOf(attributes['r']) ?? column + 1;
      type = attributes['t'] ?? 'n';
      text = '';
    }
    isValue = tag === 'v' || tag === 't';
  });
  parser.on('text', (more) => {
    if (isValue) text += more;
  });
  parser.on('closetag', ({ name }) => {
    const tag = name.slice(name.indexOf(':') + 1);
    isValue = false;
    if (tag === 'row') rows.push({ number, cells });
    if (tag !== 'c' || column > LAST_COLUMN) return;
    while (cells.length < column) cells.push('');
    cells[column] = cellOf(type, text);
  });

  function cellOf(kind: string, value: string): Cell {
    if (kind === 's') return strings.get(Number(value)) ?? '';
    if (kind !== 'n' || value === '') return value;
    const count = Number(value);
    return Number.isNaN(count) ? value : count;
  }

  function part(work: () => void): SheetPart {
    let fault: unknown = null;
    try {
      work();
    } catch (error) {
      fault = error;
    }
    const ready = rows;
    rows = [];
    return { rows: shift === 0 ? ready : ready.map(shifted), fault };
  }

  function shifted(row: TableRow): TableRow {
    const isDate = (cell: Cell) => typeof cell === 'number' && cell > 20_000 && cell < 80_000;
    return { ...row, cells: row.cells.map((cell) => (isDate(cell) ? Number(cell) + shift : cell)) };
  }

  return {
    read: (more) => part(() => parser.write(more)),
    end: () => part(() => parser.close()),
    get row() {
      return number;
    },
  };
}

/** The column of a reference such as `AB12`, counted from 0; undefined when there is none. */
function columnOf(reference: string | undefined): number | undefined {
  if (reference === undefined) return undefined;
  let column = 0;
  for (let i = 0; i < reference.length; i += 1) {
    const letter = reference.charCodeAt(i) - 64;
    if (letter < 1 || letter > 26) break;
    column = column * 26 + letter;
  }
  return column === 0 ? undefined : column - 1;
}
