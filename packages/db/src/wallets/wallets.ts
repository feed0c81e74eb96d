import type { Currency } from '../deposits/deposit.ts';
import { DaftariError } from '../errors.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { requestDigest, requireText } from '../request.ts';
import { query } from '../connection/handle.ts';
import { holderNameOf, phoneOf, requireLanguage, requireWalletText, walletRefusal } from './wallet-fields.ts';
import { newWalletNumber } from './wallet-number.ts';

/** English or Swahili. */
export type WalletLanguage = 'en' | 'sw';

export type WalletStatus = 'ACTIVE' | 'FROZEN' | 'CLOSED';

/** A customer's wallet. Amounts are decimal strings with two decimals, in the wallet's currency. */
export interface Wallet {
  readonly number: string;
  readonly holderName: string;
  /** Digits with the country code, or null. */
  readonly phone: string | null;
  readonly currency: string;
  readonly status: WalletStatus;
  readonly balance: string;
  /** Reserved by holds. */
  readonly held: string;
  /** What can be spent: balance less held. */
  readonly available: string;
  /** What its holder is written in. */
  readonly language: WalletLanguage;
}

export interface NewWallet {
  readonly holderName: string;
  /** Any way a Kenyan mobile number is written: `0712 345 678`, `+254712345678`. */
  readonly phone: string;
  readonly currency?: Currency;
  /** For wallets that have a number already; a random one with a check digit otherwise. */
  readonly number?: string;
  /** Default: `en`. */
  readonly language?: WalletLanguage;
  /** The caller's own name for this request, 1 to 255 characters: repeated with the same facts it opens nothing. */
  readonly idempotencyKey?: string;
}

export interface OpenedWallet extends Wallet {
  /** Whether it was opened before, for the same idempotency key; then it is answered as it is now. */
  readonly replayed: boolean;
}

// A random number is taken already once in nine hundred million times the number of wallets; ten tries are plenty.
const NUMBER_TRIES = 10;

/**
 * Opens a wallet with nothing in it.
 *
 * @throws DaftariError `invalid_wallet` with the field, `wallet_exists` when the given number is taken, `key_reused`
 */
export async function openWallet(db: Handle, wallet: NewWallet): Promise<OpenedWallet> {
  const facts = factsOf(wallet);
  const key = wallet.idempotencyKey ?? null;
  if (key !== null) requireText('idempotencyKey', key, 255);
  const digest = key === null ? null : requestDigest('wallet', [...facts, wallet.number ?? null]);
  for (let attempt = 1; attempt <= NUMBER_TRIES; attempt += 1) {
    const number = wallet.number ?? newWalletNumber();
    const [row] = await query<OpenedRow>(db, OPEN, [number, ...facts, key, digest]);
    if (row === undefined) throw new DaftariError('database_error');
    const { outcome, refused_for: reason } = row;
    if (outcome === 'opened' || outcome === 'replayed')
      return { ...walletOf(row), replayed: outcome === 'replayed' };
    if (outcome === 'key_reused') throw new DaftariError('key_reused');
    if (reason !== 'wallet_exists') throw walletRefusal(reason);
    if (wallet.number !== undefined) break;
  }
  throw new DaftariError('wallet_exists');
}

/** Name, phone, currency and language as they go to the database. */
function factsOf(wallet: NewWallet): string[] {
  const holderName = holderNameOf(wallet.holderName);
  const phone = phoneOf(wallet.phone);
  if (wallet.number !== undefined) requireWalletText('number', wallet.number, 20);
  // Spaces around it nobody sees, and no payer types.
  if (wallet.number?.trim() !== wallet.number) throw new DaftariError('invalid_wallet', { field: 'number' });
  const language = wallet.language ?? 'en';
  requireLanguage(language);
  return [holderName, phone, wallet.currency ?? 'KES', language];
}

/** The customer's wallet with this number, or null. */
export async function lookupWallet(db: Handle, number: string): Promise<Wallet | null> {
  if (number.includes('\0')) return null;
  const [row] = await query<WalletRow>(db, LOOKUP, [number.toWellFormed()]);
  return row === undefined ? null : walletOf(row);
}

/**
 * Customers' wallets by their holder's phone (in any way it is written), by the first digits of their number, or both;
 * in order of number, page by page: 20 a page (the default) and 100 at most. Neither given finds nothing.
 */
export async function findWallets(db: Handle, filter: WalletFilter): Promise<WalletPage> {
  const phone = filter.phone?.replace(/[\s-]/g, '') ?? null;
  const prefix = filter.prefix ?? null;
  const cursor = filter.cursor ?? null;
  const isText = (text: string | null) => text === null || (text.isWellFormed() && !text.includes('\0'));
  if ((phone === null && prefix === null) || ![phone, prefix, cursor].every(isText)) {
    return { wallets: [], nextCursor: null };
  }
  const limit = Math.min(Math.max(filter.limit ?? 20, 1), 100);
  const rows = await query<WalletRow>(db, FIND, [phone, prefix, cursor, limit + 1]);
  const wallets = rows.slice(0, limit).map(walletOf);
  return { wallets, nextCursor: rows.length > limit ? (wallets.at(-1)?.number ?? null) : null };
}

export interface WalletFilter {
  readonly phone?: string;
  readonly prefix?: string;
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
}

export interface WalletPage {
  readonly wallets: readonly Wallet[];
  /** For the next page; null on the last one. */
  readonly nextCursor: string | null;
}

export interface WalletRow {
  readonly number: string;
  readonly holder_name: string;
  readonly phone: string | null;
  readonly currency: string;
  readonly status: WalletStatus;
  readonly balance: string;
  readonly held: string;
  readonly available: string;
  readonly language: WalletLanguage;
}

interface OpenedRow extends WalletRow {
  readonly outcome: string;
  readonly refused_for: string | null;
}

/** The columns of a wallet. */
export const COLUMNS = `id AS number, holder_name, phone, currency::text, status, balance::text, held::text,
       (balance - held)::text AS available, language::text AS language`;

const OPEN: Statement = {
  name: 'wallet_open',
  text: `
SELECT o.outcome, o.reason AS refused_for, ${COLUMNS}
  FROM core.open_wallet($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text) o
 CROSS JOIN LATERAL (SELECT (o.wallet).*) w`,
};

const LOOKUP: Statement = {
  name: 'wallet_lookup',
  text: `SELECT ${COLUMNS} FROM core.wallets WHERE id = $1::varchar AND kind = 'CUSTOMER'`,
  overNodes: `SELECT ${COLUMNS} FROM lanes.wallets_of(ARRAY[$1::text]) WHERE kind = 'CUSTOMER'`,
};

// LIKE with the wildcards of the prefix itself made plain; idx_wallets_number serves it.
const FIND: Statement = {
  name: 'wallets_find',
  text: `
SELECT ${COLUMNS}
  FROM core.wallets
 WHERE kind = 'CUSTOMER'
   AND ($1::text IS NULL OR phone = core.normalize_phone($1::text))
   AND ($2::text IS NULL OR id LIKE regexp_replace($2::text, '([\\\\%_])', '\\\\\\1', 'g') || '%')
   AND ($3::varchar IS NULL OR id > $3::varchar)
 ORDER BY id
 LIMIT $4::integer`,
};

export function walletOf(row: WalletRow): Wallet {
  const { number, phone, currency, status, balance, held, available, language } = row;
  return { number, holderName: row.holder_name, phone, currency, status, balance, held, available, language };
}
