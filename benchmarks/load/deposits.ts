import { createDepositIntake, recordDeposit, verificationHash } from '@repo/db';
import type { Db, Deposit, DepositResult } from '@repo/db';
import { auditDeposits } from '../audit/deposits.ts';
import { BenchmarkError } from '../lib/errors.ts';
import type { Contest, Way } from './contest.ts';
import { openPatiently } from './workbench.ts';
import type { Workbench } from './workbench.ts';

/** Three ways to record the same payments. The textbook's works only where nothing guards the tables. */
export const DEPOSIT_CONTEST: Contest = {
  subject: 'deposits',
  audit: auditDeposits,
  contestants: [
    { way: 'textbook', database: 'textbook', open: openTextbook },
    { way: 'call', database: 'ledger', open: openCall },
    { way: 'intake', database: 'ledger', open: openIntake },
  ],
};

/** Milliseconds, long enough that 2,000 callers wait for their turn instead of failing. */
export const PATIENCE = { maxWait: 120_000, timeout: 120_000 };

/** Columns that must have a value and that the textbook has none for. */
export const NOT_KEPT = {
  debitVersion: 0n,
  debitBalanceAfter: '0',
  creditVersion: 0n,
  creditBalanceAfter: '0',
  xactId: 0n,
};

function openTextbook(url: string, { payments }: Workbench): Way {
  const db = openPatiently(url);
  return { call: (place) => recordByTheBook(db, payments.at(place)), close: () => db.close() };
}

function openCall(url: string, { payments }: Workbench): Way {
  const db = openPatiently(url);
  return {
    call: async (place) => requireCredit(await recordDeposit(db, payments.at(place))),
    close: () => db.close(),
  };
}

function openIntake(url: string, { payments }: Workbench): Way {
  const db = openPatiently(url);
  const intake = createDepositIntake(db);
  return {
    call: async (place) => requireCredit(await intake.record(payments.at(place))),
    close: async () => {
      await intake.close();
      await db.close();
    },
  };
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
    const createdAt = new Date();
    await tx.transaction.create({
      data: {
        reference: receipt,
        type: 'DEPOSIT',
        debitWalletId: 'MPESA-FLOAT',
        creditWalletId: account,
        amount,
        createdAt,
        verificationHash: verificationHash({ reference: receipt, amount, createdAt }),
        ...NOT_KEPT,
      },
    });
    await tx.wallet.update({ where: { id: account }, data: { balance: { increment: amount } } });
  }, PATIENCE);
}
