import { openWallet } from '../../wallets/wallets.ts';
import type { NewWallet } from '../../wallets/wallets.ts';
import { post } from './post.ts';
import { newReceipt } from '../deposits/sample-deposit.ts';
import { throughDoor } from './test-db.ts';
import type { Sql, TestDb } from './test-db.ts';
import type { Handle } from '../../connection/handle.ts';

let phones = 0;

/**
 * A phone number that no other wallet of this process has. No phone that a test writes out ends in 555, so the two never
 * meet, however many phones the files before have taken.
 */
export function newPhone(): string {
  phones += 1;
  return `2547${String(phones).padStart(5, '0')}555`;
}

/** Opens a customer's wallet and answers its number. */
export async function openCustomer(db: Handle, wallet: Partial<NewWallet> = {}): Promise<string> {
  const { number } = await openWallet(db, { holderName: 'Wanjiku Kamau', phone: newPhone(), ...wallet });
  return number;
}

/** Opens a wallet with money in it, which came from the float as all money does. */
export async function openFunded(test: Pick<TestDb, 'db' | 'sql'>, amount: string): Promise<string> {
  const number = await openCustomer(test.db);
  await post(test.sql, [
    { reference: newReceipt(), from: 'MPESA-FLOAT', to: number, amount, type: 'DEPOSIT' },
  ]);
  return number;
}

/** Sets a status without a reason, also of a system wallet, which no function does. */
export async function setStatus(sql: Sql, number: string, status: string): Promise<void> {
  await throughDoor(sql, 'UPDATE core.wallets SET status = $2 WHERE id = $1', [number, status]);
}

/** Sets columns to what no function sets them: what is held without a hold, a currency of no wallet, any floor. */
export async function setGuarded(
  sql: Sql,
  number: string,
  columns: { readonly held?: string; readonly currency?: string; readonly floor?: string },
): Promise<void> {
  const { held, currency, floor } = columns;
  await throughDoor(
    sql,
    `UPDATE core.wallets SET held = coalesce($2, held), currency = coalesce($3, currency),
            min_balance = coalesce($4, min_balance)
      WHERE id = $1`,
    [number, held, currency, floor],
  );
}

/** The balance of a customer's wallet, or of a system account in all its stripes. */
export async function balanceOf(sql: Sql, number: string): Promise<string> {
  const [row] = await sql(
    'SELECT sum(balance)::text AS balance FROM core.wallets WHERE core.account_of(id) = $1',
    [number],
  );
  return String(row?.['balance']);
}
