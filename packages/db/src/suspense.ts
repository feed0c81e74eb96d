import type { Handle } from './db.ts';
import { DaftariError } from './errors.ts';
import { readPosted, referenceOf } from './posted.ts';
import type { Answer, Posted } from './posted.ts';
import { requireText } from './request.ts';
import { query } from './statement.ts';
import type { Statement } from './statement.ts';

/**
 * Moves a payment that waits in suspense to the wallet that it was meant for, once: said again with the same wallet it
 * answers the same.
 *
 * @throws DaftariError `unknown_transaction`, `not_in_suspense`, `already_assigned` (to another wallet),
 * `already_reversed`, `unknown_wallet`, `wallet_frozen`, `wallet_closed`, `currency_mismatch`
 */
export async function assignSuspense(
  db: Handle,
  request: { readonly receipt: string; readonly wallet: string },
): Promise<Posted> {
  requireText('receipt', request.receipt, 50);
  requireText('wallet', request.wallet, 20);
  const [answer] = await query<Answer>(db, ASSIGN, [request.receipt.trim().toUpperCase(), request.wallet]);
  if (answer === undefined) throw new DaftariError('database_error');
  return readPosted(db, referenceOf(answer), answer.outcome === 'replayed');
}

const ASSIGN: Statement = {
  name: 'suspense_assign',
  text: `SELECT outcome, reason, reference FROM core.assign_suspense($1::text, $2::text)`,
};
