import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDb } from './db.ts';
import type { Db } from './db.ts';
import { formatCents } from './money.ts';
import { query } from './statement.ts';
import { addFeeRule } from './testing/ledger-fees.ts';
import { allFaults } from './testing/ledger-hold-faults.ts';
import { LedgerBook } from './testing/ledger-book.ts';
import type { ModelFee } from './testing/ledger-book.ts';
import { LedgerModel } from './testing/ledger-model.ts';
import { perform } from './testing/ledger-operations.ts';
import type { Answer, Operation } from './testing/ledger-operations.ts';
import { learn, operationOf, steps } from './testing/ledger-steps.ts';
import type { Step, World } from './testing/ledger-steps.ts';
import { newReceipt } from './testing/sample-deposit.ts';
import { useTestDb } from './testing/test-db.ts';
import { openCustomer } from './testing/wallet-fixtures.ts';
import { transaction } from './transaction.ts';

const database = useTestDb();
const { sql } = database;

const CONNECTIONS = 6;
const FEES: readonly ModelFee[] = [
  { type: 'TRANSFER', from: 2_000n, flat: 50n, percent: 1n, payer: 'SENDER' },
  { type: 'TRANSFER', from: 6_000n, flat: 0n, percent: 2n, payer: 'RECEIVER' },
  { type: 'WITHDRAWAL', from: 0n, flat: 100n, percent: 0n, payer: 'SENDER' },
];
const dbs: Db[] = [];

beforeAll(async () => {
  await sql('CREATE SEQUENCE positions');
  for (const { type, from, flat, percent, payer } of FEES) {
    const rule = { from: formatCents(from), flat: formatCents(flat), rate: `0.0${percent}`, payer };
    await addFeeRule(sql, { ...rule, type });
  }
  for (let i = 0; i < CONNECTIONS; i += 1) dbs.push(createDb({ url: database.url, maxConnections: 1 }));
});
afterAll(() => Promise.all(dbs.map((db) => db.close())));

/** What was asked, what was answered, and its place in the order of the ledger. */
interface Event {
  readonly operation: Operation;
  readonly answers: readonly Answer[];
  readonly position: number;
}

/**
 * Asks in a transaction of its own and draws a position just before its COMMIT.
 *
 * Why the positions are an order in which a single clerk could have worked: every operation locks the wallets that it
 * reads or changes, and writes its key, before it draws its position, and keeps both until it has committed. Of two
 * that share a wallet or a key the second one therefore gets on only after the first has committed, and draws the
 * larger number. Two that share neither do not see each other, and either may come first.
 */
function askAt(db: Db, operation: Operation): Promise<Event> {
  return transaction(db, async (tx) => {
    const answers = await perform(tx, operation);
    const [row] = await query<{ position: string }>(tx, NEXT, []);
    return { operation, answers, position: Number(row?.position) };
  });
}

const NEXT = { name: 'next_position', text: `SELECT nextval('positions')::text AS position` };

/** Lets the connections ask at the same time, each its own steps in their order. */
async function runTogether(all: readonly Step[], world: World): Promise<Event[]> {
  const lanes = dbs.map(async (db, lane) => {
    const events: Event[] = [];
    for (const step of all.filter((_, i) => i % CONNECTIONS === lane)) {
      const operation = operationOf(step, world);
      world.asked.push(operation);
      if (operation.kind === 'deposit') world.receipts.push(operation.receipt);
      const event = await askAt(db, operation);
      learn(operation, event.answers, world);
      events.push(event);
    }
    return events;
  });
  return (await Promise.all(lanes)).flat().toSorted((one, two) => one.position - two.position);
}

/** The wallets, holds and requests of a run as the database has them, in the words of the model. */
async function stateOf(customers: readonly string[], run: string) {
  const wallets = await sql(
    `SELECT id, status, balance::text, held::text FROM core.wallets WHERE id = ANY ($1) ORDER BY id`,
    [customers],
  );
  const holds = await sql(
    'SELECT id::text, status, captured::text FROM core.holds WHERE wallet_id = ANY ($1) ORDER BY id',
    [customers],
  );
  const requests = await sql(
    `SELECT idempotency_key AS key, outcome FROM core.requests WHERE idempotency_key LIKE $1 || '-%' ORDER BY 1`,
    [run],
  );
  return { wallets, holds, requests };
}

function stateOfModel(model: LedgerModel) {
  const byFirst = ([one]: readonly [string, unknown], [two]: readonly [string, unknown]) =>
    one < two ? -1 : 1;
  const customers = [...model.book.wallets].filter(([, { isSystem }]) => !isSystem).toSorted(byFirst);
  return {
    wallets: customers.map(([id, { status, balance, held }]) => ({
      id,
      status,
      balance: formatCents(balance),
      held: formatCents(held),
    })),
    holds: [...model.holds].toSorted(byFirst).map(([id, { status, captured }]) => ({
      id,
      status,
      captured: formatCents(captured),
    })),
    requests: [...model.requests]
      .toSorted(byFirst)
      .map(([key, { refusal }]) => ({ key, outcome: refusal === null ? 'POSTED' : 'REFUSED' })),
  };
}

let runs = 0;

test("whatever many connections ask at once is answered as a single clerk would answer it in the ledger's order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 30, maxLength: 90 }), async (all) => {
      const customers: string[] = [];
      for (let i = 0; i < 3; i += 1) customers.push(await openCustomer(database.db));
      runs += 1;
      const world: World = {
        run: `run${runs}`,
        customers,
        holds: [],
        references: [],
        receipts: [],
        asked: [],
      };
      const system = await sql(`SELECT id, balance::text FROM core.wallets WHERE kind = 'SYSTEM'`);
      const opened = system.map(({ id, balance }) => ({ id: String(id), balance: String(balance) }));
      const model = new LedgerModel(new LedgerBook(customers, opened, FEES));

      // Something to begin with, so that not everything is refused for want of money.
      const opening = customers.map((account): Operation => ({
        kind: 'deposit',
        receipt: newReceipt(),
        account,
        amount: '100.00',
      }));
      const [db] = dbs;
      if (db === undefined) throw new Error('The connections are opened before the tests.');
      const events: Event[] = [];
      for (const operation of opening) events.push(await askAt(db, operation));
      events.push(...(await runTogether(all, world)));

      for (const { operation, answers } of events) {
        expect({ operation, answers }).toEqual({ operation, answers: model.apply(operation, answers) });
      }
      expect(await stateOf(customers, world.run)).toEqual(stateOfModel(model));
      expect(await allFaults(sql)).toEqual([]);
    }),
    // What failed once between connections need not fail again, so a smaller example would prove nothing.
    { numRuns: 60, endOnFailure: true },
  );
}, 120_000);
