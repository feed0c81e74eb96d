import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareDumps, describeDifference } from './compare-dumps.ts';
import type { DumpObject } from './dump-object.ts';
import { parseDump, renderDump } from './dump-text.ts';

const name = fc.stringMatching(/^[a-z_]{1,8}\.[A-Za-z_"' ]{1,12}$/).map((text) => text.trimEnd());
const sql = fc
  .array(fc.constantFrom('SELECT 1;', '  a integer,', '-- a comment', '', '$$ BEGIN', "'it''s'"), {
    maxLength: 6,
  })
  .map((lines) => lines.join('\n').trimEnd());
const objects: fc.Arbitrary<DumpObject[]> = fc.uniqueArray(
  fc.record({ kind: fc.constantFrom('table', 'foreign key', 'function'), name, sql }),
  { selector: (object) => `${object.kind} ${object.name}`, maxLength: 8 },
);

describe('the text of a dump', () => {
  it('gives back the objects that it was made of', () => {
    fc.assert(
      fc.property(objects, (list) => {
        expect(parseDump(renderDump(list))).toEqual(list);
      }),
    );
  });

  it('is read alike with the line ends of either system', () => {
    fc.assert(
      fc.property(objects, (list) => {
        expect(parseDump(renderDump(list).replaceAll('\n', '\r\n'))).toEqual(list);
      }),
    );
  });
});

describe('comparing dumps', () => {
  it('finds no difference between a dump and itself, in whatever order', () => {
    fc.assert(
      fc.property(objects, (list) => {
        expect(compareDumps(list, list.toReversed())).toEqual([]);
      }),
    );
  });

  it('names exactly the objects that are missing, extra or changed', () => {
    fc.assert(
      fc.property(objects, fc.integer({ min: 0, max: 3 }), (list, seed) => {
        const found = list.flatMap((object, index): DumpObject[] => {
          if ((index + seed) % 4 === 0) return [];
          return (index + seed) % 4 === 1 ? [{ ...object, sql: `${object.sql}\nCHANGED` }] : [object];
        });
        const there = new Map(
          compareDumps(list, found).map((each) => [`${each.kind} ${each.name}`, each.change]),
        );
        const back = new Map(
          compareDumps(found, list).map((each) => [`${each.kind} ${each.name}`, each.change]),
        );
        for (const [index, object] of list.entries()) {
          const title = `${object.kind} ${object.name}`;
          const changes = [
            ['missing', 'extra'],
            ['differs', 'differs'],
          ][(index + seed) % 4] ?? [undefined, undefined];
          expect([there.get(title), back.get(title)]).toEqual(changes);
        }
      }),
    );
  });

  it('shows the lines that differ, and not those that only lost a comma', () => {
    const table = (columns: string): DumpObject => ({ kind: 'table', name: 'core.t', sql: columns });
    const differences = compareDumps(
      [table('  a integer,\n  b text,\n  c text')],
      [table('  a bigint,\n  b text')],
    );
    expect(differences.map(describeDifference)).toEqual([
      'table core.t differs\n  should have: a integer\n  should have: c text\n  has: a bigint',
    ]);
  });

  it('is not misled by a line in a function that looks like the beginning of an object', () => {
    const tricky = (end: string): DumpObject[] => [
      { kind: 'function', name: 'core.f', sql: `BEGIN\n-- ==== table: core.fake ====\n${end}` },
      { kind: 'function', name: 'core.g', sql: 'BEGIN END' },
    ];
    expect(compareDumps(tricky('END'), tricky('END'))).toEqual([]);
    expect(compareDumps(tricky('END'), tricky('END IF'))).toHaveLength(1);
  });
});
