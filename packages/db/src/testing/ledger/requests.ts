import type { Transfer } from '../../ledger/transfers.ts';
import type { Sql } from '../database/test-db.ts';
import { valueOf } from '../database/test-db.ts';

let keys = 0;

/** An idempotency key that no other request of this process has. */
export function newKey(): string {
  keys += 1;
  return `key-${process.pid}-${keys}`;
}

/** A transfer with a new key and an ordinary amount, where a test does not say otherwise. */
export function sampleTransfer(facts: Pick<Transfer, 'from' | 'to'> & Partial<Transfer>): Transfer {
  return { amount: '10.00', idempotencyKey: newKey(), ...facts };
}

/** How many transactions there are under a key. */
export async function countPosted(sql: Sql, key: string): Promise<number> {
  return Number(
    await valueOf(sql, 'SELECT count(*) FROM core.transactions WHERE idempotency_key = $1', [key]),
  );
}

/** How many transactions touch any of these wallets: what was refused adds none. */
export async function countPostings(sql: Sql, wallets: readonly string[]): Promise<number> {
  return Number(
    await valueOf(
      sql,
      'SELECT count(*) FROM core.transactions WHERE debit_wallet_id = ANY ($1) OR credit_wallet_id = ANY ($1)',
      [wallets],
    ),
  );
}
