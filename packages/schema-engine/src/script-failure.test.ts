import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describePlace } from './script-failure.ts';

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
