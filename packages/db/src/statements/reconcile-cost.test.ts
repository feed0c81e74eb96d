import type { BookEntry } from '@repo/statements/testing/statement-file';
import { expect, test } from 'vitest';
import { recordDeposits } from '../deposits/record-deposits.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { isOverNodes } from '../testing/database/nodes.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { BOOK_DAY, importBook, newShortCode, noonPlus, reconcileDay } from '../testing/statements.ts';

const database = useTestDb();
const { sql } = database;

const PAYMENTS = 600;

/** A report asks for the states of lines, and of movements. */
const STATES = ['mpesa_line_states', 'mpesa_movement_states'] as const;

/** How many rows of each table a question looks at, by the count of its own transaction. */
async function rowsReadBy(question: string, values: readonly unknown[]): Promise<Record<string, number>> {
  await sql('BEGIN');
  try {
    await sql(question, values);
    const rows = await sql(
      `SELECT schemaname || '.' || relname AS name, (seq_tup_read + coalesce(idx_tup_fetch, 0))::int AS read
         FROM pg_stat_xact_user_tables WHERE seq_tup_read + coalesce(idx_tup_fetch, 0) > 0`,
    );
    return Object.fromEntries(rows.map(({ name, read }) => [String(name), Number(read)]));
  } finally {
    await sql('ROLLBACK');
  }
}

/** The tables that were read as if for each of its lines: reading all of them a few times is cheap. */
async function dearOf(read: Readonly<Record<string, number>>): Promise<[table: string, rows: number][]> {
  const [row] = await sql('SELECT count(*)::int AS lines FROM services.mpesa_statement_lines');
  return Object.entries(read).filter(([, rows]) => rows > 20 * Number(row?.['lines']));
}

// What one server counts, it counts of itself.
test.skipIf(isOverNodes).each([
  ['which are settled', true],
  ['of which half is missing', false],
])(
  'a report of lines %s reads each of them a few times, and not once for each other',
  async (_what, heals) => {
    const shortCode = newShortCode();
    const book = Array.from({ length: PAYMENTS }, (_, place): BookEntry => ({
      receipt: newReceipt(),
      at: noonPlus(place % 300),
      what: 'payment',
      cents: 150_00n,
    }));
    // Every second callback never came, and one in ten payments is not in the statement.
    const reported = book.filter((_, place) => place % 2 === 0);
    await recordDeposits(
      database.db,
      reported.map(({ receipt, at }) => sampleDeposit({ receipt, shortCode, paidAt: new Date(at) })),
    );
    await importBook(
      database.db,
      book.filter((_, place) => place % 10 !== 0),
      { shortCode },
    );
    await reconcileDay(database.db, shortCode, heals);
    // Right after an import the planner knows nothing of its lines, and some time later it does.
    for (const states of [...STATES, 'ANALYZE', ...STATES]) {
      if (states === 'ANALYZE') {
        await sql(states);
        continue;
      }
      const read = await rowsReadBy(
        `SELECT count(*) FROM services.${states}(p_short_code => $1, p_from => $2::timestamp, p_to => $3::timestamp)`,
        [shortCode, BOOK_DAY.from.toISOString(), BOOK_DAY.to.toISOString()],
      );
      expect(Object.keys(read)).toContain('services.mpesa_statement_lines');
      expect([states, await dearOf(read)]).toEqual([states, []]);
    }
  },
);

test.skipIf(isOverNodes)(
  'charges that were just imported are posted without reading all of them for each',
  async () => {
    const shortCode = newShortCode();
    const book = Array.from({ length: PAYMENTS }, (_, place): BookEntry => ({
      receipt: newReceipt(),
      at: noonPlus(place % 300),
      what: 'charge',
      cents: 5_00n,
    }));
    await importBook(database.db, book, { shortCode });
    const read = await rowsReadBy(
      `SELECT posted FROM services.post_mpesa_lines(
         p_short_code => $1, p_from => $2::timestamp, p_to => $3::timestamp, p_after_at => NULL, p_after_id => NULL,
         p_limit => 500
     )`,
      [shortCode, BOOK_DAY.from.toISOString(), BOOK_DAY.to.toISOString()],
    );
    expect(Object.keys(read)).toContain('services.mpesa_statement_lines');
    expect(await dearOf(read)).toEqual([]);
  },
);
