import { createTransferIntake } from '@repo/db';
import type { Db, Transfer } from '@repo/db';
import { auditTransfers } from '../audit/transfers.ts';
import { ROUTES } from '../data/transfers.ts';
import type { Route } from '../data/transfers.ts';
import { BenchmarkError } from '../lib/errors.ts';
import type { Contest, Contestant } from './contest.ts';
import { PRISMA_PATIENCE, newTransaction } from './textbook.ts';

/** Three ways to transfer, for random pairs and for one hot wallet. `told` is the intake with an SMS to both sides. */
export const transferContests: readonly Contest[] = ROUTES.map((route) => ({
  subject: route,
  audit: auditTransfers,
  contestants: [textbook(route), intake(route, 'intake'), intake(route, 'told')],
}));

function textbook(route: Route): Contestant {
  return {
    way: 'textbook',
    database: 'funded_textbook',
    open: ({ db, bench: { transfers } }) => {
      return (place) => transferByTheBook(db, transfers[route].at(place));
    },
  };
}

function intake(route: Route, way: 'intake' | 'told'): Contestant {
  return {
    way,
    database: 'funded',
    open: ({ db, opened, bench: { transfers } }) => {
      const transferIntake = createTransferIntake(db);
      opened.defer(() => transferIntake.close());
      return async (place) => {
        await transferIntake.transfer({ ...transfers[route].at(place), notify: way === 'told' });
      };
    },
  };
}

/**
 * A transfer as tutorials write it: an interactive transaction that finds both wallets, checks the balance, takes from
 * one, adds to the other and creates the transaction. Between the check and the update others may spend the same
 * money: nothing here keeps a wallet from going below zero.
 */
async function transferByTheBook({ prisma }: Db, transfer: Transfer): Promise<void> {
  const { from, to, amount, idempotencyKey: reference } = transfer;
  await prisma.$transaction(async (tx) => {
    const payer = await tx.wallet.findUnique({ where: { id: from } });
    const payee = await tx.wallet.findUnique({ where: { id: to } });
    if (payer?.status !== 'ACTIVE' || payee?.status !== 'ACTIVE' || payer.balance.lessThan(amount)) {
      throw new BenchmarkError('not_transferred', 'the wallets do not allow it.');
    }
    await tx.wallet.update({ where: { id: from }, data: { balance: { decrement: amount } } });
    await tx.wallet.update({ where: { id: to }, data: { balance: { increment: amount } } });
    const route = { debitWalletId: from, creditWalletId: to };
    await tx.transaction.create(newTransaction({ reference, type: 'TRANSFER', amount, ...route }));
  }, PRISMA_PATIENCE);
}
