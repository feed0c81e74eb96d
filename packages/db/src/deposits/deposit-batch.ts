import { arrayLiteral } from '../connection/array-literal.ts';
import type { Deposit, DepositOptions } from './deposit.ts';
import { DaftariError } from '../errors.ts';
import { normalizeAmount, parsePositiveCents } from '../money.ts';
import { isReceipt } from './receipt.ts';
import { requireAmount } from '../request.ts';
import type { Statement, Value } from '../connection/handle.ts';

/** What is read of each element of a batch. */
export const DEPOSIT_COLUMNS = `ord, outcome, original, reason, suggestions, wallet, transaction_id::text AS transaction_id,
       amount::text AS amount, balance_after::text AS balance_after,
       (extract(epoch FROM created_at) * 1000)::bigint::text AS created_at_ms, verification_hash,
       recorded_short_code`;

export const RECORD_DEPOSITS: Statement = {
  name: 'record_deposits',
  text: `
SELECT ${DEPOSIT_COLUMNS}
  FROM services.record_deposits(
    $1::text[], $2::numeric[], $3::text[], $4::text[], $5::timestamp[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::integer[], $13::integer[], $14::bytea, $15::numeric
  )`,
};

/** The parameters of `services.record_deposits` for a batch, in the order of its signature. */
export function batchValues(deposits: readonly Deposit[], { maxAmount }: DepositOptions): Value[] {
  const column = (pick: (deposit: Deposit) => string | null) => arrayLiteral(deposits.map(pick));
  const lengths = deposits.map((deposit) => deposit.callback.body.byteLength);
  let next = 1;
  const starts = lengths.map((length) => {
    next += length;
    return next - length;
  });
  return [
    column((d) => d.receipt),
    column((d) => normalizeAmount(d.amount)),
    column((d) => d.shortCode),
    column((d) => d.account),
    column((d) => d.paidAt.toISOString().slice(0, -1)),
    column((d) => d.payer.phone),
    column((d) => d.payer.phoneHash),
    column((d) => d.payer.name),
    column((d) => d.callback.payload),
    column((d) => d.callback.kind),
    column((d) => d.callback.source),
    `{${starts.join(',')}}`,
    `{${lengths.join(',')}}`,
    Buffer.concat(deposits.map((deposit) => deposit.callback.body)),
    maxAmount === undefined ? null : requireAmount(maxAmount),
  ];
}

const LONGEST: readonly (readonly [string, number, (deposit: Deposit) => string | null])[] = [
  ['shortCode', 20, (d) => d.shortCode],
  ['account', 1_000, (d) => d.account],
  ['payer.phone', 20, (d) => d.payer.phone],
  ['payer.phoneHash', 100, (d) => d.payer.phoneHash],
  ['payer.name', 1_000, (d) => d.payer.name],
  ['callback.kind', 20, (d) => d.callback.kind],
  ['callback.source', 64, (d) => d.callback.source],
  ['callback.payload', 1_000_000, (d) => d.callback.payload],
];

/**
 * Refuses a deposit that the database would refuse, so that it does not spoil a batch that it shares with others.
 *
 * @throws DaftariError `invalid_deposit` with the field, or `invalid_amount` (an AmountError)
 */
export function requireValid(deposit: Deposit): void {
  parsePositiveCents(deposit.amount);
  if (!isReceipt(deposit.receipt)) throw new DaftariError('invalid_deposit', { field: 'receipt' });
  // Without look-alikes, for two payments are the same only when they were made to the same short code.
  if (!/^[\x21-\x7e]+$/.test(deposit.shortCode))
    throw new DaftariError('invalid_deposit', { field: 'shortCode' });
  const year = deposit.paidAt.getUTCFullYear();
  if (!(year >= 1 && year <= 9999)) throw new DaftariError('invalid_deposit', { field: 'paidAt' });
  for (const [field, longest, pick] of LONGEST) {
    const text = pick(deposit);
    if (text === null) continue;
    const isFit = text.length <= longest && !text.includes('\0') && text.isWellFormed();
    if (!isFit) throw new DaftariError('invalid_deposit', { field });
  }
}
