import { hold } from '../../ledger/holds.ts';
import { newKey } from '../ledger/requests.ts';
import type { TestDb } from './test-db.ts';
import { openFunded } from './wallet-fixtures.ts';

interface HeldFacts {
  readonly amount?: string | undefined;
  readonly expiresAt?: Date | undefined;
}

/** A wallet with 100.00 in it and a hold of `amount`, 40.00 by default. */
export async function openHeld(test: Pick<TestDb, 'db' | 'sql'>, { amount = '40.00', expiresAt }: HeldFacts) {
  const wallet = await openFunded(test, '100.00');
  const request = { wallet, amount, idempotencyKey: newKey(), ...(expiresAt && { expiresAt }) };
  return { wallet, request, placed: await hold(test.db, request) };
}
