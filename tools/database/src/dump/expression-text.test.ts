import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dumpOf } from '../fixtures/databases.ts';
import { normalizeExpressions } from './expression-text.ts';

const comparison = fc.constantFrom(
  `kind IN ('CUSTOMER', 'SYSTEM')`,
  `kind NOT IN ('it''s', '(', 'a AND b')`,
  `kind = 'x OR y'`,
  `amount BETWEEN 1 AND 5`,
  `amount IN (1, 2)`,
  `(amount, kind, word) IS DISTINCT FROM (1, 'A', 'B')`,
  `word ~ '^[A-Z]{3}$'`,
  'flag',
  'amount IS NULL',
  `coalesce(flag, false OR amount > 1)`,
  `CASE WHEN flag AND amount > 1 THEN true ELSE amount = 1 OR amount = 2 END`,
);

const { condition } = fc.letrec<{ condition: string; chain: string }>((tie) => ({
  condition: fc.oneof(
    { depthSize: 'small' },
    comparison,
    tie('chain'),
    tie('condition').map((inner) => `NOT (${inner})`),
  ),
  chain: fc
    .tuple(fc.constantFrom(' AND ', ' OR '), fc.array(tie('condition'), { minLength: 2, maxLength: 4 }))
    .map(([operator, parts]) => parts.map((part) => `(${part})`).join(operator)),
}));

describe('expressions in a dump', () => {
  it('have the same words before and after they went through a dump and back', async () => {
    await using first = await createTestDatabase({ empty: true });
    await using second = await createTestDatabase({ empty: true });
    await fc.assert(
      fc.asyncProperty(fc.array(condition, { minLength: 1, maxLength: 3 }), async (conditions) => {
        for (const { url } of [first, second]) await execute(url, 'DROP SCHEMA IF EXISTS zoo CASCADE');
        const checks = conditions.map((text) => `CHECK (${text})`).join(', ');
        await execute(
          first.url,
          `CREATE SCHEMA zoo;
           CREATE TABLE zoo.t (kind varchar(10), word text, amount int, flag boolean, ${checks});
           CREATE INDEX i ON zoo.t (amount) WHERE ${conditions.join(' OR ')}`,
        );
        const dump = await dumpOf(first.url);
        await execute(second.url, dump);
        expect(await dumpOf(second.url)).toBe(dump);
      }),
      { numRuns: 15 },
    );
  });

  it('are left alone where parentheses do not match', () => {
    for (const text of ['((a OR b) OR c', 'a) OR b', `'((a' OR b) OR (c`])
      expect(normalizeExpressions(text)).toBe(text);
  });
});
