import { query, read } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { AmountError, DaftariError } from '../errors.ts';
import type { FeeRule as FeeRuleRow } from '../generated/client.ts';
import { normalizeAmount } from '../money.ts';
import { readBack, refusal } from '../refusals.ts';
import { isUuid, requestDigest, requireText, requireTime } from '../request.ts';

export type FeeType = 'TRANSFER' | 'WITHDRAWAL';

export type FeePayer = 'SENDER' | 'RECEIVER';

/**
 * What is charged for a type of transaction, from a lower bound of its amount on: `flat` plus `rate` of the amount,
 * rounded half up to the cent. Of several lower bounds the highest that the amount reaches counts; for each there is one
 * rule at a time. Amounts are decimal strings with two decimals.
 */
export interface FeeRule {
  readonly id: string;
  readonly type: FeeType;
  readonly currency: string;
  readonly minAmount: string;
  readonly flat: string;
  /** Of the amount: decimal string with six decimals, from 0 to below 1. */
  readonly rate: string;
  readonly payer: FeePayer;
  readonly validFrom: Date;
  /** The first moment at which it no longer holds; null for as long as no other rule takes its place. */
  readonly validUntil: Date | null;
}

export interface NewFeeRule {
  readonly type: FeeType;
  /** Default: KES. */
  readonly currency?: string | undefined;
  /** Default: 0. */
  readonly minAmount?: string | undefined;
  /** Default: 0. */
  readonly flat?: string | undefined;
  /** At most six decimals. Default: 0. */
  readonly rate?: string | undefined;
  /** Default: SENDER. */
  readonly payer?: FeePayer | undefined;
  /** Now or later. Default: now. */
  readonly validFrom?: Date | undefined;
  readonly validUntil?: Date | undefined;
  /** Who wants it, and why: kept for those who ask later. */
  readonly by: string;
  readonly reason: string;
  readonly idempotencyKey: string;
}

export interface FeeRuleEnd {
  readonly id: string;
  /** Now or later. Default: now. */
  readonly at?: Date | undefined;
  readonly by: string;
  readonly reason: string;
}

/**
 * Sets a fee rule, once for its key. The rule in force for the same type, currency and lower bound when it begins ends
 * then. After its `validUntil` no rule holds there until another is set. It answers the rule as it was set.
 *
 * @throws DaftariError `time_passed` (it would begin in the past, or end before it begins), `fee_rule_planned` (another
 * rule begins while this one would hold), `key_reused`, `invalid_request`
 */
export async function setFeeRule(
  db: Handle,
  rule: NewFeeRule,
): Promise<FeeRule & { readonly replayed: boolean }> {
  requireText('by', rule.by, 100);
  requireText('reason', rule.reason, 500);
  requireText('idempotencyKey', rule.idempotencyKey, 255);
  const facts = factsOf(rule);
  const digest = requestDigest('fee-rule', [...facts, rule.reason]);
  const [answer] = await query<SetRow>(db, SET, [
    rule.idempotencyKey,
    digest,
    ...facts,
    rule.by,
    rule.reason,
  ]);
  if (answer?.outcome === 'key_reused') throw new DaftariError('key_reused');
  if (answer === undefined || answer.reason !== null || answer.id === null) throw refusalOf(answer);
  const { id, outcome } = answer;
  // Its end as it was set: a later rule may have ended it since.
  const where = { ruleId: id, kind: 'SET' };
  const set = await readBack(() =>
    read(db.prisma.feeRuleEvent.findFirst({ where, include: { rule: true } })),
  );
  if (set === null) throw new DaftariError('database_error');
  return { ...ruleOf(set.rule), validUntil: set.validUntil, replayed: outcome === 'replayed' };
}

/**
 * Ends a fee rule, now or later. One that has not begun by then never holds, and the rule that it was to replace goes on.
 * Repeated, it answers the same.
 *
 * @throws DaftariError `unknown_fee_rule`, `time_passed`, `fee_rule_ended` (it ends before that), `invalid_request`
 */
export async function endFeeRule(db: Handle, { id, at, by, reason }: FeeRuleEnd): Promise<FeeRule> {
  requireText('by', by, 100);
  requireText('reason', reason, 500);
  if (!isUuid(id)) throw new DaftariError('unknown_fee_rule');
  const moment = at === undefined ? null : requireTime('at', at);
  const [answer] = await query<Pick<SetRow, 'reason'>>(db, END, [id, moment, by, reason]);
  if (answer === undefined || answer.reason !== null) throw refusalOf(answer);
  const ended = await readBack(() => read(db.prisma.feeRule.findUnique({ where: { id } })));
  if (ended === null) throw new DaftariError('database_error');
  return ruleOf(ended);
}

function refusalOf(answer: Pick<SetRow, 'reason'> | undefined): DaftariError {
  return answer === undefined ? new DaftariError('database_error') : refusal(answer.reason);
}

/** The rule as the function takes it. @throws DaftariError `invalid_request` naming the field */
function factsOf(rule: NewFeeRule): (string | null)[] {
  const { type, currency = 'KES', rate = '0', payer = 'SENDER' } = rule;
  const require = (field: string, isFit: boolean): void => {
    if (!isFit) throw new DaftariError('invalid_request', { field });
  };
  require('type', ['TRANSFER', 'WITHDRAWAL'].includes(type));
  require('payer', ['SENDER', 'RECEIVER'].includes(payer));
  require('currency', /^[A-Z]{3}$/.test(currency));
  require('rate', /^0(\.\d{1,6})?$/.test(rate));
  const minAmount = sumOf('minAmount', rule.minAmount);
  const flat = sumOf('flat', rule.flat);
  const validFrom = rule.validFrom === undefined ? null : requireTime('validFrom', rule.validFrom);
  const validUntil = rule.validUntil === undefined ? null : requireTime('validUntil', rule.validUntil);
  return [type, currency, minAmount, flat, rate, payer, validFrom, validUntil];
}

function sumOf(field: string, amount = '0'): string {
  try {
    return normalizeAmount(amount);
  } catch (error) {
    throw error instanceof AmountError ? new DaftariError('invalid_request', { field }) : error;
  }
}

export function ruleOf(row: FeeRuleRow): FeeRule {
  return {
    id: row.id,
    type: row.transactionType as FeeType,
    currency: row.currency,
    minAmount: row.minAmount.toFixed(2),
    flat: row.flat.toFixed(2),
    rate: row.rate.toFixed(6),
    payer: row.payer as FeePayer,
    validFrom: row.validFrom,
    validUntil: row.validUntil,
  };
}

interface SetRow {
  readonly outcome: 'posted' | 'replayed' | 'key_reused' | 'refused';
  readonly reason: string | null;
  readonly id: string | null;
}

const SET: Statement = {
  name: 'fee_rule_set',
  text: `
SELECT outcome, reason, rule_id::text AS id
  FROM core.set_fee_rule(
    $1::text, $2::text, $3::text, $4::text, $5::numeric, $6::numeric, $7::numeric, $8::text, $9::timestamp,
    $10::timestamp, $11::text, $12::text
  )`,
};

const END: Statement = {
  name: 'fee_rule_end',
  text: 'SELECT reason FROM core.end_fee_rule($1::uuid, $2::timestamp, $3::text, $4::text)',
};
