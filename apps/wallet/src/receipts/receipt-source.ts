import { findTransaction, isDaftariError, verificationHash } from '@repo/db';
import type { Db, Party, TransactionView } from '@repo/db';
import { signReceipt } from '@repo/receipts';
import type { Issuer, Language, Receipt, ReceiptFacts, SigningKeys } from '@repo/receipts';
import type { FastifyBaseLogger } from 'fastify';
import { receiptProblem, unknownTransaction } from '../problems.ts';

export interface ReceiptSource {
  readonly db: Db;
  readonly keys: SigningKeys;
  /** Where the public reaches the service. */
  readonly baseUrl: string;
  readonly issuer: Issuer | null;
  readonly log: FastifyBaseLogger;
}

/**
 * Makes the signed receipt of the transaction with the first of the references that exists. Throws 404
 * `unknown_transaction`, 409 `receipt_not_ready` for a transaction older than the hashes, or 500
 * `transaction_altered` when the row does not agree with its hash.
 */
export async function issueReceipt(source: ReceiptSource, references: readonly string[]): Promise<Issued> {
  const { db, keys, baseUrl, issuer, log } = source;
  const transaction = await findTransaction(db, references);
  if (transaction === null) throw unknownTransaction();
  if (transaction.verificationHash === null) {
    throw receiptProblem('receipt_not_ready');
  }
  const facts = soundFacts(transaction, log);
  if (facts === null) {
    throw receiptProblem('transaction_altered');
  }
  const receipt = await signReceipt(keys, facts, { baseUrl, issuer });
  return { receipt, languages: { from: languageOf(transaction.from), to: languageOf(transaction.to) } };
}

/** A receipt, and what the holder of each side is written in; null for a system wallet. */
export interface Issued {
  readonly receipt: Receipt;
  readonly languages: Readonly<Record<'from' | 'to', Language | null>>;
}

function languageOf({ kind, language }: Party): Language | null {
  return kind === 'CUSTOMER' ? language : null;
}

/**
 * The facts of a receipt. Null as long as the transaction has no hash, and for a row that was changed past the guards
 * of the ledger. Such a row is always logged, because people must look at it.
 */
export function soundFacts(transaction: TransactionView, log: FastifyBaseLogger): ReceiptFacts | null {
  const { reference, type, amount, currency, createdAt, verificationHash: hash, from, to } = transaction;
  const { paidAt, fee, narrative } = transaction;
  if (hash === null) return null;
  if (currency === 'KES' && expectedHash(transaction) === hash) {
    const details = { from, to, paidAt, fee, narrative };
    return { reference, type, amount, currency, createdAt, verificationHash: hash, ...details };
  }
  log.error(
    { reference },
    'a transaction does not agree with its verification hash: have the ledger audited',
  );
  return null;
}

/** Null for what no hash is made of, such as a time after the year 9999. */
function expectedHash(transaction: TransactionView): string | null {
  try {
    return verificationHash(transaction);
  } catch (error) {
    if (isDaftariError(error)) return null;
    throw error;
  }
}
