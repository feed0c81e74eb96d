import type { Row, Sql } from '../database/test-db.ts';

/** Everything that a receipt left behind; times as ISO texts in UTC, amounts as texts. */
export interface DepositRows {
  readonly transactions: Row[];
  readonly logs: Row[];
  readonly sms: Row[];
  /** In the order in which they came. */
  readonly callbacks: Row[];
}

export async function depositRows(sql: Sql, receipt: string): Promise<DepositRows> {
  return {
    transactions: await sql(TRANSACTIONS, [receipt]),
    logs: await sql(LOGS, [receipt]),
    sms: await sql(SMS, [receipt]),
    callbacks: await sql(CALLBACKS, [receipt]),
  };
}

/** How many rows each table has for a receipt. */
export async function countRows(sql: Sql, receipt: string): Promise<Record<keyof DepositRows, number>> {
  const { transactions, logs, sms, callbacks } = await depositRows(sql, receipt);
  return {
    transactions: transactions.length,
    logs: logs.length,
    sms: sms.length,
    callbacks: callbacks.length,
  };
}

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;

const TRANSACTIONS = `
SELECT id::text, reference, type, debit_wallet_id, credit_wallet_id, amount::text, currency::text,
       to_char(created_at, ${ISO}) AS created_at, verification_hash, idempotency_key, request_digest, reverses_id
  FROM core.transactions WHERE reference = $1`;

const LOGS = `
SELECT id::text, mpesa_receipt, phone, amount::text, raw_payload, to_char(created_at, ${ISO}) AS created_at, short_code,
       account, to_char(paid_at, ${ISO}) AS paid_at, phone_hash, payer_name, outcome, reason, suggestions, wallet_id
  FROM services.mpesa_logs WHERE mpesa_receipt = $1`;

// The SMS of a deposit has the id of its transaction.
const SMS = `
SELECT s.id::text, s.recipient, s.message, s.status, s.cost, to_char(s.created_at, ${ISO}) AS created_at
  FROM services.sms_logs s WHERE s.id IN (SELECT t.id FROM core.transactions t WHERE t.reference = $1)`;

const CALLBACKS = `
SELECT id::text, kind, receipt, outcome, error, source, body, to_char(received_at, ${ISO}) AS received_at
  FROM services.mpesa_callbacks c WHERE receipt = $1 ORDER BY c.received_at, c.id`;
