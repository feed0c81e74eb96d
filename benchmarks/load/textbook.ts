import { verificationHash } from '@repo/db';
import { PATIENCE } from './contest.ts';

/** How long a transaction of Prisma's waits for a connection and may take. */
export const PRISMA_PATIENCE = { maxWait: PATIENCE, timeout: PATIENCE };

interface NewTransaction {
  readonly reference: string;
  readonly type: 'DEPOSIT' | 'TRANSFER';
  readonly debitWalletId: string;
  readonly creditWalletId: string;
  readonly amount: string;
}

/** What Prisma creates a transaction from: with its hash, and without the versions and balances that the textbook has not. */
export function newTransaction(transaction: NewTransaction) {
  const createdAt = new Date();
  return {
    data: {
      ...transaction,
      createdAt,
      verificationHash: verificationHash({ ...transaction, createdAt }),
      debitVersion: 0n,
      debitBalanceAfter: '0',
      creditVersion: 0n,
      creditBalanceAfter: '0',
      xactId: 0n,
    },
  };
}
