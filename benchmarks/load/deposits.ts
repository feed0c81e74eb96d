import { createDepositIntake, recordDeposit } from '@repo/db';
import type { Db, Deposit, DepositIntakeOptions, DepositResult } from '@repo/db';
import { auditDeposits } from '../audit/deposits.ts';
import { BenchmarkError } from '../lib/errors.ts';
import type { Call, Contest, Place } from './contest.ts';
import { PRISMA_PATIENCE, newTransaction } from './textbook.ts';

/** Four ways to record the same payments; raw SQL and the floor are measured beside them (`measureCeilings`). The textbook's works only where nothing guards the tables. */
export const DEPOSIT_CONTEST: Contest = {
  subject: 'deposits',
  audit: auditDeposits,
  contestants: [
    { way: 'textbook', database: 'textbook', open: openTextbook },
    { way: 'call', database: 'ledger', open: openCall },
    { way: 'lane', database: 'ledger', open: (place) => openIntake(place, { lanes: 1 }) },
    { way: 'lanes', database: 'ledger', open: (place) => openIntake(place, {}) },
  ],
};

function openTextbook({ db, bench: { payments } }: Place): Call {
  return (place) => recordByTheBook(db, payments.at(place));
}

function openCall({ db, bench: { payments } }: Place): Call {
  return async (place) => requireCredit(await recordDeposit(db, payments.at(place)));
}

function openIntake({ db, opened, bench: { payments } }: Place, options: DepositIntakeOptions): Call {
  const intake = createDepositIntake(db, options);
  opened.defer(() => intake.close());
  return async (place) => requireCredit(await intake.record(payments.at(place)));
}

/** A deposit that went anywhere else would be counted for work that was not done. */
function requireCredit({ outcome }: DepositResult): void {
  if (outcome !== 'credited') throw new BenchmarkError('not_credited', `it is ${outcome}.`);
}

/**
 * A deposit as tutorials write it: an interactive transaction that looks for the receipt, creates the log and the
 * transaction, and adds to the wallet's balance.
 */
async function recordByTheBook({ prisma }: Db, deposit: Deposit): Promise<void> {
  const { receipt, amount, account, payer, callback } = deposit;
  // What a web framework hands to the handler: the parsed body. All values of these messages are texts.
  const rawPayload = JSON.parse(Buffer.from(callback.body).toString('utf8')) as Record<string, string>;
  await prisma.$transaction(async (tx) => {
    const known = await tx.mpesaLog.findUnique({ where: { mpesaReceipt: receipt } });
    if (known !== null) throw new BenchmarkError('not_credited', 'its receipt is there already.');
    await tx.mpesaLog.create({ data: { mpesaReceipt: receipt, phone: payer.phone, amount, rawPayload } });
    const route = { debitWalletId: 'MPESA-FLOAT', creditWalletId: account };
    await tx.transaction.create(newTransaction({ reference: receipt, type: 'DEPOSIT', amount, ...route }));
    await tx.wallet.update({ where: { id: account }, data: { balance: { increment: amount } } });
  }, PRISMA_PATIENCE);
}
