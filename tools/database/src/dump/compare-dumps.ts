import { titleOf } from './dump-object.ts';
import type { DumpObject } from './dump-object.ts';
import { parseDump, renderDump } from './dump-text.ts';

/** How an object differs between the database that should be and the one that is. */
export interface Difference extends Pick<DumpObject, 'kind' | 'name'> {
  readonly change: 'missing' | 'extra' | 'differs';
  /** For one that differs: the lines that only the one or only the other has, trimmed. */
  readonly expected: string[];
  readonly found: string[];
}

const SHOWN_LINES = 6;

/** What has to change in `found` to make it `expected`, object by object; empty when they are the same. */
export function compareDumps(expected: readonly DumpObject[], found: readonly DumpObject[]): Difference[] {
  const wanted = byTitle(expected);
  const present = byTitle(found);
  const missing = [...wanted].flatMap(([title, object]) => {
    const other = present.get(title);
    return other === undefined ? [difference(object, 'missing')] : differencesWithin(object, other);
  });
  const extra = [...present].flatMap(([title, object]) =>
    wanted.has(title) ? [] : [difference(object, 'extra')],
  );
  return [...missing, ...extra];
}

/** One sentence a difference, for people. */
export function describeDifference(found: Difference): string {
  const title = titleOf(found);
  if (found.change === 'missing') return `${title} is missing`;
  if (found.change === 'extra') return `${title} is there and should not be`;
  const lines = [
    ...found.expected.map((line) => `should have: ${line}`),
    ...found.found.map((line) => `has: ${line}`),
  ];
  // Lines that are only in another order have nothing to show.
  if (lines.length === 0) return `${title} differs in the order of its lines`;
  const shown = lines.slice(0, SHOWN_LINES).map((line) => `\n  ${line}`);
  const rest = lines.length > SHOWN_LINES ? `\n  and ${lines.length - SHOWN_LINES} more lines` : '';
  return `${title} differs${shown.join('')}${rest}`;
}

function differencesWithin(wanted: DumpObject, present: DumpObject): Difference[] {
  if (wanted.sql === present.sql) return [];
  return [
    {
      ...difference(wanted, 'differs'),
      expected: linesOnlyIn(wanted.sql, present.sql),
      found: linesOnlyIn(present.sql, wanted.sql),
    },
  ];
}

function difference({ kind, name }: DumpObject, change: Difference['change']): Difference {
  return { kind, name, change, expected: [], found: [] };
}

// Both sides go through the text, so that they are cut into objects alike. Two objects of one name become one.
function byTitle(objects: readonly DumpObject[]): Map<string, DumpObject> {
  const map = new Map<string, DumpObject>();
  for (const object of parseDump(renderDump(objects))) {
    const title = titleOf(object);
    const before = map.get(title);
    map.set(title, before === undefined ? object : { ...object, sql: `${before.sql}\n${object.sql}` });
  }
  return map;
}

function linesOnlyIn(text: string, other: string): string[] {
  const known = new Set(other.split('\n').map(bare));
  return text
    .split('\n')
    .map(bare)
    .filter((line) => !known.has(line));
}

// A column's line ends in a comma or not, depending on its neighbours.
function bare(line: string): string {
  return line.trim().replace(/,$/, '');
}
