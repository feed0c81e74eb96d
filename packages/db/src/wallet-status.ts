import type { Handle } from './db.ts';
import { DaftariError } from './errors.ts';
import { readBack, refusal } from './posted.ts';
import { requireText } from './request.ts';
import { query } from './statement.ts';
import type { Statement } from './statement.ts';
import { lookupWallet } from './wallets.ts';
import type { Wallet, WalletStatus } from './wallets.ts';

export interface StatusChange {
  readonly wallet: string;
  /** Who wants it and why: kept for those who ask later. */
  readonly reason: string;
}

/** Nothing leaves or enters a frozen wallet; deposits to it wait in suspense. @throws DaftariError `unknown_wallet`, `wallet_closed` */
export function freezeWallet(db: Handle, change: StatusChange): Promise<Wallet> {
  return setStatus(db, change, 'FROZEN');
}

/** @throws DaftariError `unknown_wallet`, `wallet_closed` */
export function unfreezeWallet(db: Handle, change: StatusChange): Promise<Wallet> {
  return setStatus(db, change, 'ACTIVE');
}

/** For good: the number stays taken. @throws DaftariError `unknown_wallet`, `wallet_not_empty` */
export function closeWallet(db: Handle, change: StatusChange): Promise<Wallet> {
  return setStatus(db, change, 'CLOSED');
}

async function setStatus(db: Handle, change: StatusChange, status: WalletStatus): Promise<Wallet> {
  requireText('wallet', change.wallet, 20);
  requireText('reason', change.reason, 500);
  const [answer] = await query<{ reason: string | null }>(db, SET, [change.wallet, status, change.reason]);
  if (answer === undefined) throw new DaftariError('database_error');
  if (answer.reason !== null) throw refusal(answer.reason);
  const wallet = await readBack(() => lookupWallet(db, change.wallet));
  if (wallet === null) throw new DaftariError('unknown_wallet');
  return wallet;
}

const SET: Statement = {
  name: 'wallet_set_status',
  text: `SELECT reason FROM core.set_wallet_status($1::text, $2::text, $3::text)`,
};
