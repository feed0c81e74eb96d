import { expect, test } from 'vitest';
import type { Handle } from '../connection/handle.ts';
import { captureHold, hold } from './holds.ts';
import { reverseTransaction } from './reversals.ts';
import { assignSuspense } from './assign-suspense.ts';
import { openHeld } from '../testing/database/held-wallet.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { payIntoSuspense } from '../testing/ledger/suspense.ts';
import { post } from '../testing/database/post.ts';
import { newReceipt } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { openCustomer, openFunded, setStatus } from '../testing/database/wallet-fixtures.ts';
import { transaction } from '../connection/transaction.ts';
import { transfer, transfers } from './transfers.ts';

const database = useTestDb();
const { sql } = database;

/** A request that is refused, and what makes it possible. */
interface Refused {
  readonly ask: (db: Handle) => Promise<unknown>;
  readonly code: string;
  readonly mend: () => Promise<unknown>;
}

const fund = (to: string) =>
  post(sql, [{ reference: newReceipt(), from: 'MPESA-FLOAT', to, amount: '500.00', type: 'DEPOSIT' }]);

const REFUSALS: Record<string, () => Promise<Refused>> = {
  async transfer() {
    const [from, to] = [await openFunded(database, '1.00'), await openCustomer(database.db)];
    const request = sampleTransfer({ from, to });
    return { ask: (db) => transfer(db, request), code: 'insufficient_funds', mend: () => fund(from) };
  },
  async hold() {
    const wallet = await openFunded(database, '1.00');
    const request = { wallet, amount: '10.00', idempotencyKey: newKey() };
    return { ask: (db) => hold(db, request), code: 'insufficient_funds', mend: () => fund(wallet) };
  },
  async capture() {
    const { wallet, placed } = await openHeld(database, {});
    await setStatus(sql, wallet, 'FROZEN');
    const request = { holdId: placed.id, to: 'MPESA-FLOAT', idempotencyKey: newKey() };
    const mend = () => setStatus(sql, wallet, 'ACTIVE');
    return { ask: (db) => captureHold(db, request), code: 'wallet_frozen', mend };
  },
  async reversal() {
    const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
    const { reference } = await transfer(database.db, sampleTransfer({ from, to }));
    await setStatus(sql, to, 'FROZEN');
    const request = { reference, idempotencyKey: newKey() };
    const mend = () => setStatus(sql, to, 'ACTIVE');
    return { ask: (db) => reverseTransaction(db, request), code: 'wallet_frozen', mend };
  },
  async assignment() {
    const [receipt, wallet] = [await payIntoSuspense(database.db), await openCustomer(database.db)];
    await setStatus(sql, wallet, 'FROZEN');
    const request = { receipt, wallet, idempotencyKey: newKey() };
    const mend = () => setStatus(sql, wallet, 'ACTIVE');
    return { ask: (db) => assignSuspense(db, request), code: 'wallet_frozen', mend };
  },
};

const kinds = Object.keys(REFUSALS);

const openRefused = (kind: string): Promise<Refused> => {
  const open = REFUSALS[kind];
  if (open === undefined) throw new Error(`There is no refused ${kind}.`);
  return open();
};

test.for(kinds)('a refused %s by itself is remembered', async (kind) => {
  const { ask, code, mend } = await openRefused(kind);
  expect(await refusalOf(ask(database.db))).toBe(code);
  await mend();
  expect(await refusalOf(ask(database.db))).toBe(code);
});

test.for(kinds)(
  'a refused %s that ends its transaction is forgotten with it, and judged again',
  async (kind) => {
    const { ask, code, mend } = await openRefused(kind);
    expect(await refusalOf(transaction(database.db, ask))).toBe(code);
    await mend();
    await expect(transaction(database.db, ask)).resolves.toMatchObject({ replayed: false });
  },
);

test.for(kinds)(
  'a refused %s that is caught in its transaction is remembered with the rest of it',
  async (kind) => {
    const { ask, code, mend } = await openRefused(kind);
    const wallet = await transaction(database.db, async (tx) => {
      expect(await refusalOf(ask(tx))).toBe(code);
      return openCustomer(tx);
    });
    await mend();
    expect(await refusalOf(ask(database.db))).toBe(code);
    await expect(fund(wallet)).resolves.toMatchObject([{ outcome: 'created' }]);
  },
);

test('refusals of a batch are remembered when its transaction commits, and forgotten when it does not', async () => {
  const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
  const batch = [sampleTransfer({ from, to }), sampleTransfer({ from, to })];
  const own = new Error('of the caller');
  const undone = transaction(database.db, async (tx) => {
    expect(await transfers(tx, batch)).toMatchObject([
      { ok: true },
      { ok: false, code: 'insufficient_funds' },
    ]);
    throw own;
  });
  await expect(undone).rejects.toBe(own);
  await transaction(database.db, (tx) => transfers(tx, batch));
  await fund(from);
  expect(await transfers(database.db, batch)).toMatchObject([
    { ok: true, replayed: true },
    { ok: false, code: 'insufficient_funds' },
  ]);
});
