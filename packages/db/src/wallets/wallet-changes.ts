import type { Handle, Statement, Value } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { formatCents, parseCents } from '../money.ts';
import { readBack } from '../refusals.ts';
import { requireText } from '../request.ts';
import { query } from '../connection/handle.ts';
import { holderNameOf, phoneOf, requireLanguage, walletRefusal } from './wallet-fields.ts';
import { lookupWallet } from './wallets.ts';
import type { Wallet, WalletLanguage } from './wallets.ts';

/** Who wants a change of a wallet, and why: kept for those who ask later. */
export interface ChangeNote {
  readonly reason: string;
  /** The name of an API key or of a person, 1 to 100 characters; default: the database role. */
  readonly actor?: string;
}

export interface WalletUpdate extends ChangeNote {
  readonly number: string;
  readonly holderName?: string;
  /** Any way a Kenyan mobile number is written; null for a wallet without a phone from now on. */
  readonly phone?: string | null;
  readonly language?: WalletLanguage;
}

export interface FloorChange extends ChangeNote {
  readonly number: string;
  /** The lowest balance allowed, a decimal string; below zero, such as `-500.00`, it is a credit line. */
  readonly floor: string;
}

/**
 * Changes whose wallet it is, or how its holder is written to; what is absent stays. Payments are routed by the phone
 * too: those that arrive from now on go where it belongs now.
 *
 * @throws DaftariError `invalid_wallet` or `invalid_request` with the field; `unknown_wallet`, `wallet_closed`
 */
export async function updateWallet(db: Handle, update: WalletUpdate): Promise<Wallet> {
  const { phone, language } = update;
  const holderName = update.holderName === undefined ? null : holderNameOf(update.holderName);
  if (language !== undefined) requireLanguage(language);
  // The database knows '' for no phone and NULL for what stays.
  const written = phone === null ? '' : phone === undefined ? null : phoneOf(phone);
  return changeWallet(db, CHANGE, { ...update, facts: [holderName, written, language ?? null] });
}

/**
 * Sets the lowest balance that a wallet may have; every customer's has one, and it opens with 0.00.
 *
 * @throws DaftariError `invalid_amount`, `unknown_wallet`, `wallet_closed`; `floor_too_high` above what is available
 */
export async function setWalletFloor(db: Handle, change: FloorChange): Promise<Wallet> {
  const isBelow = change.floor.startsWith('-');
  const cents = parseCents(isBelow ? change.floor.slice(1) : change.floor);
  const floor = formatCents(isBelow ? -cents : cents);
  return changeWallet(db, SET_FLOOR, { ...change, facts: [floor] });
}

/** Runs a function that changes one wallet, and answers the wallet as it is afterwards. */
export async function changeWallet(
  db: Handle,
  statement: Statement,
  change: ChangeNote & { readonly number: string; readonly facts: readonly Value[] },
): Promise<Wallet> {
  const { number, facts, reason, actor } = change;
  requireText('wallet', number, 20);
  requireText('reason', reason, 500);
  if (actor !== undefined) requireText('actor', actor, 100);
  const values = [number, ...facts, reason, actor ?? null];
  const [answer] = await query<{ reason: string | null }>(db, statement, values);
  if (answer === undefined) throw new DaftariError('database_error');
  if (answer.reason !== null) throw walletRefusal(answer.reason);
  const wallet = await readBack(() => lookupWallet(db, number));
  if (wallet === null) throw new DaftariError('unknown_wallet');
  return wallet;
}

const CHANGE: Statement = {
  name: 'wallet_change',
  text: `SELECT reason FROM core.change_wallet($1::text, $2::text, $3::text, $4::text, $5::text, $6::text)`,
};

const SET_FLOOR: Statement = {
  name: 'wallet_set_floor',
  text: `SELECT reason FROM core.set_wallet_floor($1::text, $2::numeric, $3::text, $4::text)`,
};
