import { findTransaction } from '@repo/db';
import type { Db, TransactionView } from '@repo/db';
import { HttpProblem } from '@repo/http';
import { ReceiptError, signReceipt } from '@repo/receipts';
import type { Receipt, ReceiptFacts, SigningKeys } from '@repo/receipts';
import type { FastifyBaseLogger } from 'fastify';
import { unknownTransaction } from './problems.ts';

export interface ReceiptSource {
  readonly db: Db;
  readonly keys: SigningKeys;
  /** Where the public reaches the service. */
  readonly baseUrl: string;
  readonly log: FastifyBaseLogger;
}

/**
 * Makes the signed receipt of a transaction. Throws 404 `unknown_transaction`, 409 `receipt_not_ready` for a
 * transaction older than the hashes, or 500 `transaction_altered` when the row does not agree with its hash.
 */
export async function issueReceipt(source: ReceiptSource, reference: string): Promise<Receipt> {
  const { db, keys, baseUrl, log } = source;
  const transaction = await findTransaction(db, reference);
  if (transaction === null) throw unknownTransaction();
  const facts = factsOf(transaction);
  if (facts === null) {
    throw new HttpProblem({
      code: 'receipt_not_ready',
      status: 409,
      title: 'This transaction has no receipt yet.',
      detail: 'It is older than the verification hashes. Ask for the back-fill to be run.',
    });
  }
  try {
    return await signReceipt(keys, facts, { baseUrl });
  } catch (error) {
    if (!(error instanceof ReceiptError && error.code === 'FACTS_CONTRADICT_HASH')) throw error;
    reportAltered(log, reference);
    throw altered(error);
  }
}

/** What a receipt is made of; null as long as the transaction has no hash. */
export function factsOf(transaction: TransactionView): ReceiptFacts | null {
  const { reference, type, amount, currency, createdAt, verificationHash, from, to } = transaction;
  if (verificationHash === null) return null;
  if (currency !== 'KES') throw new RangeError('receipts are in KES');
  return { reference, type, amount, currency, createdAt, verificationHash, from, to };
}

/** Somebody changed a row of the ledger past its guards: people must look, whoever asked for what. */
export function reportAltered(log: FastifyBaseLogger, reference: string): void {
  log.error(
    { reference },
    'a transaction does not agree with its verification hash: have the ledger audited',
  );
}

function altered(cause: unknown): HttpProblem {
  return new HttpProblem({
    code: 'transaction_altered',
    status: 500,
    title: 'The transaction does not agree with its verification hash.',
    detail: 'No receipt is issued for it. Have the ledger audited.',
    cause,
  });
}
