import { throughDoor } from '../database/test-db.ts';
import type { Sql } from '../database/test-db.ts';

/** What a test says of a fee rule; the rest is ordinary. */
export interface FeeRule {
  readonly type?: 'TRANSFER' | 'WITHDRAWAL';
  readonly from?: string;
  readonly flat?: string;
  readonly rate?: string;
  readonly payer?: 'SENDER' | 'RECEIVER';
  /** Hours from now; default: an hour old, and without an end. */
  readonly validFrom?: number;
  readonly validUntil?: number;
}

/** Past the guards: no rule begins in the past by a function of ours. */
export async function addFeeRule(sql: Sql, rule: FeeRule): Promise<void> {
  await throughDoor(
    sql,
    `INSERT INTO core.fee_rules (transaction_type, min_amount, flat, rate, payer, valid_from, valid_until)
     VALUES ($1, $2, $3, $4, $5, (now() AT TIME ZONE 'UTC') + make_interval(hours => $6),
             (now() AT TIME ZONE 'UTC') + make_interval(hours => $7))`,
    [
      rule.type ?? 'TRANSFER',
      rule.from ?? '0',
      rule.flat ?? '0',
      rule.rate ?? '0',
      rule.payer ?? 'SENDER',
      rule.validFrom ?? -1,
      rule.validUntil ?? null,
    ],
  );
}

export async function clearFeeRules(sql: Sql): Promise<void> {
  await throughDoor(sql, 'DELETE FROM core.fee_rules');
}
