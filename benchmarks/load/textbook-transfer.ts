import { verificationHash } from '@repo/db';
import type { Db, Transfer } from '@repo/db';
import { BenchmarkError } from '../lib/errors.ts';
import { NOT_KEPT, PATIENCE } from './textbook.ts';

/**
 * A transfer as tutorials write it: an interactive transaction that finds both wallets, checks the balance, takes from
 * one, adds to the other and creates the transaction. Between the check and the update others may spend the same
 * money: nothing here keeps a wallet from going below zero.
 */
export async function transferByTheBook({ prisma }: Db, transfer: Transfer): Promise<void> {
  const { from, to, amount, idempotencyKey: reference } = transfer;
  await prisma.$transaction(async (tx) => {
    const payer = await tx.wallet.findUnique({ where: { id: from } });
    const payee = await tx.wallet.findUnique({ where: { id: to } });
    if (payer === null || payee === null)
      throw new BenchmarkError('not_transferred', 'a wallet is not there.');
    if (payer.status !== 'ACTIVE' || payee.status !== 'ACTIVE' || payer.balance.lessThan(amount)) {
      throw new BenchmarkError('not_transferred', 'the wallets do not allow it.');
    }
    await tx.wallet.update({ where: { id: from }, data: { balance: { decrement: amount } } });
    await tx.wallet.update({ where: { id: to }, data: { balance: { increment: amount } } });
    const createdAt = new Date();
    await tx.transaction.create({
      data: {
        reference,
        type: 'TRANSFER',
        debitWalletId: from,
        creditWalletId: to,
        amount,
        createdAt,
        verificationHash: verificationHash({ reference, amount, createdAt }),
        ...NOT_KEPT,
      },
    });
  }, PATIENCE);
}
