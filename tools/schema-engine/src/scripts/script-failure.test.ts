import { withoutChance } from '@repo/testing/chance';
import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describePlace, describeScriptFailure } from './script-failure.ts';

const PEOPLE = `
  CREATE SCHEMA core;
  CREATE TABLE core.people (id text PRIMARY KEY, phone text UNIQUE CHECK (phone ~ '^[0-9]+$'), name text NOT NULL);
  CREATE TABLE core.owners (phone text REFERENCES core.people (phone));
  CREATE TABLE public.numbers (phone text CHECK (phone ~ '^[0-9]+$'), name text);
  INSERT INTO core.people VALUES ('W-1', '254700000001', 'Amina');`;

describe('the detail of an error', () => {
  it.each([
    [`INSERT INTO core.people VALUES ('W-2', '+254700000002', 'Brian')`, 'DETAIL: The row has the key W-2.'],
    [`INSERT INTO core.people VALUES ('W-2', '254700000002', NULL)`, 'DETAIL: The row has the key W-2.'],
    [
      `INSERT INTO core.people VALUES ('W-2', '254700000001', 'Brian')`,
      'DETAIL: Key (phone) already exists.',
    ],
    [
      `INSERT INTO core.owners VALUES ('254700000003')`,
      'DETAIL: Key (phone) is not present in table "people".',
    ],
    [`INSERT INTO public.numbers VALUES ('+254700000004', 'Caro')`, 'DETAIL: The row is not shown.'],
  ])('says which row, and shows no value of it: %s', async (script, detail) => {
    await using database = await createTestDatabase({ empty: true });
    await execute(database.url, PEOPLE);
    const cause: unknown = await execute(database.url, script).then(
      () => undefined,
      (error: unknown) => error,
    );
    const said = describeScriptFailure({ script, cause });
    expect(said).toContain(detail);
    expect(withoutChance(said)).not.toMatch(/2547|Brian|Caro/);
  });
});

describe('the place of an error in a script', () => {
  it('is the line and column of the character at the position that the server gives', () => {
    const line = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll(/[\r\n]/g, ''));
    fc.assert(
      fc.property(fc.array(line, { minLength: 1 }), fc.nat(), (lines, seed) => {
        const characters = [...lines.join('\n')];
        const position = 1 + (seed % (characters.length + 1));
        const [, number, column] =
          /line (\d+), column (\d+)/.exec(describePlace(lines.join('\n'), position)) ?? [];
        // Counting the characters of the lines before it, and its line breaks, must lead to the position again.
        const before = lines
          .slice(0, Number(number) - 1)
          .reduce((sum, text) => sum + [...text].length + 1, 0);
        expect(before + Number(column)).toBe(position);
      }),
    );
  });

  it('is shown with numbered lines around it and a mark below it', () => {
    const script = Array.from({ length: 20 }, (_, index) => `line ${index + 1}`).join('\n');
    expect(describePlace(script, script.indexOf('12') + 1).split('\n')).toEqual([
      'Position: line 12, column 6',
      '     7 | line 7',
      '     8 | line 8',
      '     9 | line 9',
      '    10 | line 10',
      '    11 | line 11',
      '>   12 | line 12',
      '              ^',
      '    13 | line 13',
      '    14 | line 14',
      '    15 | line 15',
      '    16 | line 16',
      '    17 | line 17',
    ]);
  });

  it('counts lines the same when they end as on Windows', () => {
    expect(describePlace('SELECT 1;\r\nSELECT x;', 19)).toContain('>    2 | SELECT x;');
  });
});
