import { execute } from '@repo/postgres/database';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dumpOf, numberOf } from '../fixtures/databases.ts';
import { openShop, writeShop } from '../fixtures/shop.ts';
import type { Shop } from '../fixtures/shop.ts';
import { describeLoss } from './loss.ts';
import { rollBack } from './roll-back.ts';

let shop: Shop;

beforeAll(async () => {
  shop = await openShop();
});

afterAll(() => shop[Symbol.asyncDispose]());

/** What the last migration's way back would lose of a shop in which `sql` was run. */
async function lossesAfter(sql: string): Promise<string[]> {
  await using database = await shop.clone();
  const { url } = database;
  await execute(url, sql);
  const { losses } = await rollBack({ url, migrations: shop.migrations, discardData: true });
  return losses.map(describeLoss);
}

describe('what a rollback would lose', () => {
  it.each([
    { what: 'nothing of a database that nobody has used', sql: '', losses: [] },
    {
      what: 'rows of a table that goes',
      sql: 'INSERT INTO shop.orders (id) SELECT generate_series(1, 12)',
      losses: ['12 rows of shop.orders'],
    },
    {
      what: 'a row of the migration’s own that was edited',
      sql: 'UPDATE shop.orders SET item = 1 WHERE id = 0',
      losses: ['1 row of shop.orders'],
    },
    {
      what: 'not a row of the migration’s own for a time that it was given by a default',
      sql: `UPDATE shop.orders SET made = '2020-01-01' WHERE id = 0`,
      losses: [],
    },
    {
      what: 'not a row of the migration’s own that is gone already',
      sql: 'DELETE FROM shop.orders; DELETE FROM shop.items',
      losses: [],
    },
    {
      what: 'rows that the script deletes from a table that stays',
      sql: 'INSERT INTO shop.items (id, seen) VALUES (1, NULL), (101, NULL), (102, NULL)',
      losses: ['2 rows of shop.items'],
    },
    {
      what: 'a row of the migration’s own in a table that stays, when it was edited, with its values',
      sql: 'UPDATE shop.items SET price = 5 WHERE id = 100',
      losses: ['1 row of shop.items', '1 value of shop.items.colour'],
    },
    {
      what: 'values that are neither empty nor the default',
      sql: `INSERT INTO shop.items (id, colour, weight, tag, data, seen) VALUES
              (1, 'red', 0.00, NULL, NULL, NULL), (2, 'blue', NULL, 'x', '{}', NULL), (3, NULL, 1.5, 'y', '[]', NULL)`,
      losses: [
        '1 value of shop.items.colour',
        '1 value of shop.items.weight',
        '2 values of shop.items.tag',
        '2 values of shop.items.data',
      ],
    },
    {
      what: 'every value of a default that differs from row to row',
      sql: 'INSERT INTO shop.items (id) VALUES (1), (2)',
      losses: ['2 values of shop.items.seen'],
    },
    {
      what: 'not what is declared as derived or is generated',
      sql: 'INSERT INTO shop.items (id, price, rank, seen) VALUES (1, 7, 3, NULL)',
      losses: [],
    },
  ])('is $what', async ({ sql, losses }) => {
    expect(await lossesAfter(sql)).toEqual(losses);
  });

  // These ways back do not undo the migration, so it cannot be run again to see which rows it brings: all rows count.
  it.each([
    { how: 'TRUNCATE', down: 'TRUNCATE shop.items;', loss: '3 rows of shop.items' },
    {
      how: 'DELETE past disabled triggers',
      down: 'SET LOCAL session_replication_role = replica; DELETE FROM shop.items;',
      loss: '3 rows of shop.items',
    },
    {
      how: 'a cascade',
      down: `ALTER TABLE shop.notes ADD FOREIGN KEY (text) REFERENCES shop.words ON DELETE CASCADE;
             DELETE FROM shop.words;`,
      loss: '2 rows of shop.notes',
    },
    {
      how: 'a block of code',
      down: `DO $$ BEGIN EXECUTE 'DELETE FROM shop.items'; END $$;`,
      loss: '3 rows of shop.items',
    },
  ])('includes rows deleted from a table that stays by $how', async ({ down, loss }) => {
    await using database = await shop.clone();
    const { url } = database;
    await execute(
      url,
      `INSERT INTO shop.items (id) VALUES (1), (2);
       CREATE TABLE shop.words (word text PRIMARY KEY);
       INSERT INTO shop.words VALUES ('a');
       INSERT INTO shop.notes VALUES ('a'), ('a')`,
    );
    await using project = await writeShop(down);
    await expect(rollBack({ url, migrations: project.project.migrations })).rejects.toThrow(loss);
    expect(await numberOf(url, 'SELECT count(*) AS n FROM shop.items')).toBe(3);
    expect(await numberOf(url, 'SELECT count(*) AS n FROM shop.notes')).toBe(2);
  });

  it('tells equal rows of a table without a key apart by their number', async () => {
    await using database = await shop.clone();
    const { url } = database;
    await execute(url, `INSERT INTO shop.notes VALUES ('same'), ('same'), ('same')`);
    await using project = await writeShop(
      'DELETE FROM shop.notes WHERE ctid = (SELECT min(ctid) FROM shop.notes);',
    );
    await expect(rollBack({ url, migrations: project.project.migrations })).rejects.toThrow(
      '1 row of shop.notes',
    );
  });

  it('does not include a table or a column that only gets another name', async () => {
    await using database = await shop.clone();
    const { url } = database;
    await execute(url, `INSERT INTO shop.items (id, tag) VALUES (1, 'x')`);
    await using project = await writeShop(
      'ALTER TABLE shop.items RENAME COLUMN tag TO label; ALTER TABLE shop.items RENAME TO things;',
    );
    const { losses } = await rollBack({ url, migrations: project.project.migrations });
    expect(losses).toEqual([]);
  });

  it('is what a plain model says, for whatever rows there are', async () => {
    const item = fc.record({
      colour: fc.constantFrom('red', 'blue', null),
      weight: fc.constantFrom('0', '0.00', '2.50', null),
      tag: fc.constantFrom('', 'x', null),
      isHigh: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 6 }), fc.nat(5), async (items, orders) => {
        const text = (value: string | null): string => (value === null ? 'NULL' : `'${value}'`);
        const rows = items.map(
          ({ colour, weight, tag, isHigh }, index) =>
            `INSERT INTO shop.items (id, colour, weight, tag, seen)
             VALUES (${index + (isHigh ? 200 : 1)}, ${text(colour)}, ${text(weight)}, ${text(tag)}, NULL);`,
        );
        const count = (kind: string, of: string, n: number): string[] =>
          n === 0 ? [] : [`${n} ${kind}${n === 1 ? '' : 's'} of ${of}`];
        expect(
          await lossesAfter(
            `${rows.join('')} INSERT INTO shop.orders (id) SELECT generate_series(1, ${orders})`,
          ),
        ).toEqual([
          ...count('row', 'shop.orders', orders),
          ...count('row', 'shop.items', items.filter(({ isHigh }) => isHigh).length),
          ...count('value', 'shop.items.colour', items.filter(({ colour }) => colour === 'blue').length),
          ...count('value', 'shop.items.weight', items.filter(({ weight }) => weight === '2.50').length),
          ...count('value', 'shop.items.tag', items.filter(({ tag }) => tag !== null).length),
        ]);
      }),
      { numRuns: 15 },
    );
  });
});

describe('a rollback that would lose something', () => {
  it('changes nothing and says what would make it go on', async () => {
    await using database = await shop.clone();
    const { url } = database;
    await execute(url, 'INSERT INTO shop.orders (id) VALUES (1)');
    const before = await dumpOf(url);
    await expect(rollBack({ url, migrations: shop.migrations })).rejects.toThrow(
      /--discard-data.*\n {2}1 row of shop\.orders$/,
    );
    expect(await dumpOf(url)).toBe(before);
    expect(await numberOf(url, 'SELECT count(*) AS n FROM shop.orders')).toBe(2);
    expect(await numberOf(url, 'SELECT count(*) AS n FROM _prisma_migrations')).toBe(2);
  });
});
