import { createTransferIntake, verificationHash } from '@repo/db';
import type { Db, Transfer } from '@repo/db';
import { auditTransfers } from '../audit/transfers.ts';
import { ROUTES } from '../data/transfers.ts';
import type { Route } from '../data/transfers.ts';
import { BenchmarkError } from '../lib/errors.ts';
import type { Contest, Contestant } from './contest.ts';
import { NOT_KEPT, PATIENCE } from './deposits.ts';
import { openPatiently } from './workbench.ts';

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
    open: (url, { transfers }) => {
      const db = openPatiently(url);
      return {
        call: (place) => transferByTheBook(db, transfers[route].at(place)),
        close: () => db.close(),
      };
    },
  };
}

function intake(route: Route, way: 'intake' | 'told'): Contestant {
  return {
    way,
    database: 'funded',
    open: (url, { transfers }) => {
      const db = openPatiently(url);
      const opened = createTransferIntake(db);
      return {
        call: async (place) => {
          await opened.transfer({ ...transfers[route].at(place), notify: way === 'told' });
        },
        close: async () => {
          await opened.close();
          await db.close();
        },
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
