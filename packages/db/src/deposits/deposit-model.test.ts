import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Deposit } from './deposit.ts';
import { createDepositIntake } from './deposit-intake.ts';
import { recordDeposit, recordDeposits } from './record-deposits.ts';
import { formatCents, parseCents } from '../money.ts';
import { transaction } from '../connection/transaction.ts';
import { DepositModel, summaryOf } from '../testing/deposits/deposit-model.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { openTestDb } from '../testing/database/test-db.ts';
import type { TestDb } from '../testing/database/test-db.ts';
import { balanceOf, newPhone, openCustomer, setStatus } from '../testing/database/wallet-fixtures.ts';

/** A message about one of few receipts to one of few accounts, so that they collide. */
const messages = fc.record({
  receipt: fc.nat(25),
  amount: fc.constantFrom('10.00', '10.00', '10.00', '10.00', '20.00', '0.01', '10000000.01'),
  shortCode: fc.constantFrom('600123', '600123', '600123', '600123', '600123', '600456'),
  account: fc.record({
    wallet: fc.nat(2),
    written: fc.constantFrom('number', 'number', 'spaced', 'phone', 'wrong', 'unknown', 'none'),
  }),
  hasPhone: fc.boolean(),
});
type Message = typeof messages extends fc.Arbitrary<infer One> ? One : never;

const steps = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      way: ways(),
      sent: fc.array(messages, { minLength: 1, maxLength: 15, size: 'max' }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ wallet: fc.nat(2), status: fc.constantFrom('ACTIVE', 'FROZEN', 'CLOSED') }),
  },
);

function ways() {
  return fc.constantFrom('batch', 'singly', 'intake', 'small batches', 'transaction', 'undone');
}

function depositOf(message: Message, model: DepositModel, prefix: string): Deposit {
  const { wallet, written } = message.account;
  const customer = model.customers[wallet] ?? expect.fail('no such customer');
  const { number, phone } = customer;
  const accounts = {
    number,
    spaced: ` ${number.slice(0, 4)} ${number.slice(4)}`,
    phone,
    wrong: number.slice(0, 9) + String((Number(number[9]) + 1) % 10),
    unknown: 'Tandem Bonanza',
    none: '',
  };
  const { amount, shortCode } = message;
  const receipt = `${prefix}${String(message.receipt).padStart(2, '0')}`;
  const payer = message.hasPhone ? '254733000000' : '2547 ***** 126';
  return sampleDeposit({ receipt, amount, shortCode, account: accounts[written], phone: payer });
}

/** Sends deposits one of the ways there are; answers the outcomes in order. */
async function send({ db }: TestDb, way: string, deposits: readonly Deposit[]): Promise<string[]> {
  const intake = createDepositIntake(db, { maxBatch: way === 'small batches' ? 3 : 1_000 });
  switch (way) {
    case 'batch':
      return (await recordDeposits(db, deposits)).map(summaryOf);
    case 'singly': {
      const answers: string[] = [];
      for (const deposit of deposits) answers.push(summaryOf(await recordDeposit(db, deposit)));
      return answers;
    }
    case 'transaction':
      return (await transaction(db, (tx) => recordDeposits(tx, deposits))).map(summaryOf);
    default:
      return (await Promise.all(deposits.map((deposit) => intake.record(deposit)))).map(summaryOf);
  }
}

/**
 * The order in which the deposits were recorded. Lanes of one intake may overtake each other; then whatever was the first
 * report of its receipt came first, as far as anybody can tell.
 */
function orderOf(answers: readonly string[], way: string): number[] {
  const order = answers.map((_, i) => i);
  const isRepeat = (i: number) => Number(/^(duplicate|conflict)/.test(answers[i] ?? ''));
  const isDealt = way === 'intake' || way === 'small batches';
  return isDealt ? order.toSorted((left, right) => isRepeat(left) - isRepeat(right)) : order;
}

async function undo({ db }: TestDb, deposits: readonly Deposit[]): Promise<void> {
  const undone = transaction(db, async (tx) => {
    await recordDeposits(tx, deposits);
    throw new Error('undone');
  });
  await expect(undone).rejects.toThrow('undone');
}

async function expectModel(
  { sql }: TestDb,
  model: DepositModel,
  start: { suspense: string; prefix: string },
) {
  for (const { number, cents } of model.customers)
    expect(await balanceOf(sql, number)).toBe(formatCents(cents));
  const suspense = parseCents(await balanceOf(sql, 'SUSPENSE')) - parseCents(start.suspense);
  expect(suspense).toBe(model.suspenseCents);
  const [counts] = await sql(
    `SELECT (SELECT count(*)::int FROM core.transactions WHERE reference LIKE $1) AS transactions,
            (SELECT count(*)::int FROM services.mpesa_logs WHERE mpesa_receipt LIKE $1) AS logs,
            (SELECT count(*)::int FROM services.mpesa_callbacks WHERE receipt LIKE $1) AS messages,
            (SELECT count(*)::int FROM services.sms_logs WHERE transaction_reference LIKE $1) AS sms`,
    [`${start.prefix}%`],
  );
  expect(counts).toEqual({
    transactions: model.transactions,
    logs: model.deposits.size,
    messages: model.messages,
    sms: model.smsRows,
  });
}

test('whatever is sent, repeated, contradicted, undone and frozen, the ledger is what the model says', async () => {
  await using database = await openTestDb();
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 2, maxLength: 12, size: 'max' }), async (sequence) => {
      const prefix = newReceipt();
      const suspense = await balanceOf(database.sql, 'SUSPENSE');
      const customers = [];
      for (let i = 0; i < 3; i += 1) {
        const phone = newPhone();
        const number = await openCustomer(database.db, { phone });
        customers.push({ number, phone, status: 'ACTIVE', cents: 0n });
      }
      const model = new DepositModel(customers);
      for (const step of sequence) {
        if ('status' in step) {
          const customer = model.customers[step.wallet] ?? expect.fail('no such customer');
          customer.status = step.status;
          await setStatus(database.sql, customer.number, step.status);
          continue;
        }
        const deposits = step.sent.map((message) => depositOf(message, model, prefix));
        if (step.way === 'undone') {
          await undo(database, deposits);
          continue;
        }
        const answers = await send(database, step.way, deposits);
        const order = orderOf(answers, step.way);
        const expected = order.map((i) => model.record(deposits[i] ?? expect.fail('no such deposit')));
        expect(order.map((i) => answers[i])).toEqual(expected);
      }
      await expectModel(database, model, { suspense, prefix });
      expect(await ledgerFaults(database.sql)).toEqual([]);
    }),
    { numRuns: 40, interruptAfterTimeLimit: 30_000 },
  );
});
