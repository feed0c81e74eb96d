import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditLedger } from '../audit/audit-ledger.ts';
import { createDb } from '../connection/db.ts';
import type { Db } from '../connection/db.ts';
import { formatCents } from '../money.ts';
import { addFeeRule } from '../testing/ledger/fees.ts';
import { allFaults } from '../testing/ledger/hold-faults.ts';
import { LedgerBook } from '../testing/ledger/book.ts';
import type { ModelFee } from '../testing/ledger/book.ts';
import { LedgerModel } from '../testing/ledger/model.ts';
import type { Operation } from '../testing/ledger/operations.ts';
import { askAt, inOrder, openPositionedIntake } from '../testing/ledger/positions.ts';
import type { Event, PositionedIntake } from '../testing/ledger/positions.ts';
import { learn, operationOf, steps } from '../testing/ledger/steps.ts';
import type { Step, World } from '../testing/ledger/steps.ts';
import { newReceipt } from '../testing/deposits/sample-deposit.ts';
import { times } from '../testing/database/nodes.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { openCustomer } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();
const { sql } = database;

const CONNECTIONS = 8;
/** So many of them send what an intake takes through one intake. */
const SHARING = 5;
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

/** Operations that an intake takes. */
const TAKEN: readonly Operation['kind'][] = ['hold', 'capture', 'release', 'reverse', 'assign'];

/** Lets the connections ask at the same time, each its own steps in their order; some of them share an intake. */
async function runTogether(all: readonly Step[], world: World, intake: PositionedIntake): Promise<Event[]> {
  const lanes = dbs.map(async (db, lane) => {
    const events: Event[] = [];
    for (const step of all.filter((_, i) => i % CONNECTIONS === lane)) {
      const operation = operationOf(step, world);
      world.asked.push(operation);
      if (operation.kind === 'deposit') world.receipts.push(operation.receipt);
      const isShared = lane < SHARING && TAKEN.includes(operation.kind);
      const event = await (isShared ? intake.ask(operation) : askAt(db, operation));
      learn(operation, event.answers, world);
      events.push(event);
    }
    return events;
  });
  return inOrder((await Promise.all(lanes)).flat());
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
let largest = 0;

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
      const intake = openPositionedIntake(db);
      events.push(...(await runTogether(all, world, intake)));
      await intake.close();
      largest = Math.max(largest, intake.largest);

      for (const { operation, answers } of events) {
        expect({ operation, answers }).toEqual({ operation, answers: model.apply(operation, answers) });
      }
      expect(await stateOf(customers, world.run)).toEqual(stateOfModel(model));
      expect(await allFaults(sql)).toEqual([]);
    }),
    // What failed once between connections need not fail again, so a smaller example would prove nothing.
    { numRuns: times(60), endOnFailure: true },
  );
  expect(largest).toBeGreaterThan(2);
  const { checks } = await auditLedger(database.db);
  expect(checks.flatMap(({ findings }) => findings)).toEqual([]);
});
