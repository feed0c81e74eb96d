import { verificationHash } from '@repo/db';
import type { Deposit } from '@repo/db';
import type { Client, QueryConfig } from 'pg';

/** A piece of work for one connection, all of its parameters built: statements that follow one another. */
export type Work = readonly QueryConfig[];

export async function runWork(client: Client, work: Work): Promise<void> {
  for (const statement of work) await client.query(statement);
}

/** The textbook's find, create, create and update between BEGIN and COMMIT, as Prisma sends them. */
export function textbookWork(deposit: Deposit): Work {
  const { receipt, amount, account } = deposit;
  const createdAt = new Date();
  const time = createdAt.toISOString().slice(0, -1);
  const hash = verificationHash({ reference: receipt, amount, createdAt });
  const payload = Buffer.from(deposit.callback.body).toString('utf8');
  return [
    { name: 'begin', text: 'BEGIN' },
    { name: 'find', text: FIND_LOG, values: [receipt] },
    { name: 'create_log', text: CREATE_LOG, values: [receipt, deposit.payer.phone, amount, payload] },
    { name: 'create_transaction', text: CREATE_TRANSACTION, values: [receipt, account, amount, time, hash] },
    { name: 'update', text: UPDATE_WALLET, values: [amount, account] },
    { name: 'commit', text: 'COMMIT' },
  ];
}

/** One call of the function that the package calls, for a batch of any size. */
export function depositsWork(deposits: readonly Deposit[]): Work {
  const list = (pick: (deposit: Deposit) => string | null) => arrayOf(deposits.map(pick));
  const lengths = deposits.map(({ callback }) => callback.body.byteLength);
  let next = 1;
  const starts = lengths.map((length) => {
    next += length;
    return next - length;
  });
  const values = [
    list((d) => d.receipt),
    list((d) => d.amount),
    list((d) => d.shortCode),
    list((d) => d.account),
    list((d) => d.paidAt.toISOString().slice(0, -1)),
    list((d) => d.payer.phone),
    list((d) => d.payer.phoneHash),
    list((d) => d.payer.name),
    list((d) => d.callback.payload),
    list((d) => d.callback.kind),
    list((d) => d.callback.source),
    `{${starts.join(',')}}`,
    `{${lengths.join(',')}}`,
    Buffer.concat(deposits.map(({ callback }) => callback.body)),
  ];
  return [{ name: 'record_deposits', text: RECORD_DEPOSITS, values }];
}

/** A literal of an array of texts that hold no quotes and no backslashes, as those of the made-up payments. */
function arrayOf(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? 'NULL' : `"${value}"`)).join(',')}}`;
}

// What Prisma was seen to send, with its lists of all columns written as an asterisk.
const FIND_LOG = 'SELECT * FROM services.mpesa_logs WHERE mpesa_receipt = $1 LIMIT 1';

const CREATE_LOG = `
INSERT INTO services.mpesa_logs (mpesa_receipt, phone, amount, raw_payload)
VALUES ($1, $2, $3, $4)
RETURNING *`;

const CREATE_TRANSACTION = `
INSERT INTO core.transactions (
    reference, type, debit_wallet_id, credit_wallet_id, amount, created_at, verification_hash,
    debit_version, debit_balance_after, credit_version, credit_balance_after, xact_id
)
VALUES ($1, 'DEPOSIT', 'MPESA-FLOAT', $2, $3, $4, $5, 0, 0, 0, 0, 0)
RETURNING *`;

const UPDATE_WALLET = `
UPDATE core.wallets SET balance = balance + $1::numeric WHERE id = $2
RETURNING *`;

const RECORD_DEPOSITS = `
SELECT ord, outcome, wallet, transaction_id, balance_after, verification_hash
  FROM services.record_deposits(
    $1::text[], $2::numeric[], $3::text[], $4::text[], $5::timestamp[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::integer[], $13::integer[], $14::bytea
  )`;
