import type { Handle, Statement } from '../connection/handle.ts';
import { changeWallet } from './wallet-changes.ts';
import type { ChangeNote } from './wallet-changes.ts';
import type { Wallet, WalletStatus } from './wallets.ts';

export interface StatusChange extends ChangeNote {
  readonly wallet: string;
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

function setStatus(db: Handle, { wallet, ...note }: StatusChange, status: WalletStatus): Promise<Wallet> {
  return changeWallet(db, SET, { ...note, number: wallet, facts: [status] });
}

const SET: Statement = {
  name: 'wallet_set_status',
  text: `SELECT reason FROM core.set_wallet_status($1::text, $2::text, $3::text, $4::text)`,
};
