import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { derivedColumns } from './derived.ts';

const column = fc.stringMatching(/^[a-z]{1,8}\.[a-z]{1,8}\.[a-z_]{1,10}$/);

describe('columns declared as derived', () => {
  it('are read however the list is broken into comment lines', () => {
    const list = fc.array(fc.tuple(column, fc.constantFrom(', ', ',\n-- ', ',\r\n--  ')), { minLength: 1 });
    fc.assert(
      fc.property(list, (parts) => {
        const text = parts
          .map(([name, end], index) => (index === parts.length - 1 ? name : name + end))
          .join('');
        const sql = `-- Before: x.\n-- Derived, computed again by migration.sql: ${text}\n-- Other, words.\nDROP TABLE t;`;
        expect(derivedColumns(sql)).toEqual(new Set(parts.map(([name]) => name)));
      }),
    );
  });

  it('are empty without a declaration', () => {
    expect(derivedColumns('-- core.wallets.kind, core.wallets.version\nSELECT 1;')).toEqual(new Set());
  });

  it('end where the comment ends, even after a comma', () => {
    const sql = '-- Derived, computed again by migration.sql: a.b.c,\nSELECT x,\n-- d.e.f\ny;';
    expect(derivedColumns(sql)).toEqual(new Set(['a.b.c']));
  });
});
