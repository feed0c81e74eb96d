import type { Deposit } from '@repo/db';
import type { QueryConfig } from 'pg';

/** A piece of work for one connection, all of its parameters built: statements that follow one another. */
export type Work = readonly QueryConfig[];

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

const RECORD_DEPOSITS = `
SELECT ord, outcome, wallet, transaction_id, balance_after, verification_hash
  FROM services.record_deposits(
    $1::text[], $2::numeric[], $3::text[], $4::text[], $5::timestamp[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::integer[], $13::integer[], $14::bytea
  )`;
