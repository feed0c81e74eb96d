import { verificationHash } from '@repo/db';
import type { Db, Deposit } from '@repo/db';
import { BenchmarkError } from '../lib/errors.ts';

/** Milliseconds, long enough that 2,000 callers wait for their turn instead of failing. */
export const PATIENCE = { maxWait: 120_000, timeout: 120_000 };

/**
 * A deposit as tutorials write it: an interactive transaction that looks for the receipt, creates the log and the
 * transaction, and adds to the wallet's balance. It works only where nothing guards the tables.
 */
export async function recordByTheBook({ prisma }: Db, deposit: Deposit): Promise<void> {
  const { receipt, amount, account } = deposit;
  const rawPayload = payloadOf(deposit);
  await prisma.$transaction(async (tx) => {
    const known = await tx.mpesaLog.findUnique({ where: { mpesaReceipt: receipt } });
    if (known !== null) throw new BenchmarkError('not_credited', 'its receipt is there already.');
    await tx.mpesaLog.create({
      data: { mpesaReceipt: receipt, phone: deposit.payer.phone, amount, rawPayload },
    });
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

/** Columns that must have a value and that this way has none for. */
export const NOT_KEPT = {
  debitVersion: 0n,
  debitBalanceAfter: '0',
  creditVersion: 0n,
  creditBalanceAfter: '0',
  xactId: 0n,
};

/** What a web framework hands to the handler: the parsed body. All values of these messages are texts. */
function payloadOf({ callback }: Deposit): Record<string, string> {
  return JSON.parse(Buffer.from(callback.body).toString('utf8')) as Record<string, string>;
}
