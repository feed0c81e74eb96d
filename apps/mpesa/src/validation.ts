import { routeAccount, storeCallback } from '@repo/db';
import type { AccountRoute } from '@repo/db';
import { within } from '@repo/http';
import type { Callback } from './callback.ts';
import { parseC2b } from './parse-c2b.ts';
import type { ParsedC2b } from './parse-c2b.ts';
import type { CallbackContext } from './quarantine.ts';

/** The codes with which a payment can be refused; each makes M-PESA send the payer another text. */
const REFUSALS = {
  C2B00012: 'Invalid Account Number',
  C2B00013: 'Invalid Amount',
  C2B00016: 'Other Error',
} as const;

type RefusalCode = keyof typeof REFUSALS;

export interface ValidationContext extends CallbackContext {
  readonly isStrict: boolean;
  /** Above it a payment would be held; decimal string of KES. */
  readonly maxAmount: string;
  /** How long deciding and storing may each take before the answer goes out without them; milliseconds. */
  readonly deadlineMs: number;
}

export interface ValidationAnswer {
  readonly ResultCode: string;
  readonly ResultDesc: string;
}

const ACCEPTED: ValidationAnswer = { ResultCode: '0', ResultDesc: 'Accepted' };

/**
 * Says whether a payment may go on. It moves no money and credits nothing, and so it answers even when the
 * database is away: a payment that is let through is at worst in suspense, one that is refused is a lost customer.
 */
export async function answerValidation(
  context: ValidationContext,
  callback: Callback,
): Promise<ValidationAnswer> {
  const parsed = parseC2b(callback.body.bytes);
  const refusal = context.isStrict ? await decide(context, parsed) : null;
  await keep(context, callback, { parsed, refusal });
  context.metrics.validations.inc({ answer: refusal ?? '0' });
  return refusal === null ? ACCEPTED : { ResultCode: refusal, ResultDesc: REFUSALS[refusal] };
}

async function decide(
  { db, log, deadlineMs, maxAmount }: ValidationContext,
  parsed: ParsedC2b,
): Promise<RefusalCode | null> {
  if (!parsed.ok) return parsed.reason.startsWith('amount_') ? 'C2B00013' : 'C2B00016';
  if (centsOf(parsed.message.amount) > centsOf(maxAmount)) return 'C2B00013';
  try {
    const route = await within(deadlineMs, routeAccount(db, parsed.message.account, parsed.message.msisdn));
    return REFUSAL_OF[route.status];
  } catch (error) {
    log.error({ err: error }, 'the account could not be looked up; the payment is accepted unseen');
    return null;
  }
}

/** Cents of a decimal string with two decimals at most. */
function centsOf(amount: string): bigint {
  const [whole = '0', fraction = ''] = amount.split('.');
  return BigInt(whole + fraction.padEnd(2, '0'));
}

/** What is wrong with the account as typed, and what is wrong with the wallet that it leads to. */
const REFUSAL_OF: Readonly<Record<AccountRoute['status'], RefusalCode | null>> = {
  known: null,
  no_account: 'C2B00012',
  unknown_account: 'C2B00012',
  wrong_check_digit: 'C2B00012',
  ambiguous_phone: 'C2B00012',
  wallet_frozen: 'C2B00016',
  wallet_closed: 'C2B00016',
  currency_mismatch: 'C2B00016',
};

/** Stores the question and the answer. A refusal is its code; what could not be read and was let through, its reason. */
async function keep(
  { db, log, metrics, deadlineMs }: ValidationContext,
  { kind, source, body }: Callback,
  { parsed, refusal }: { parsed: ParsedC2b; refusal: RefusalCode | null },
): Promise<void> {
  const receipt = parsed.ok ? parsed.message.receipt : parsed.receipt;
  const isQuarantined = !parsed.ok && refusal === null;
  const outcome = isQuarantined ? 'QUARANTINED' : 'VALIDATED';
  const error = isQuarantined ? parsed.reason : refusal;
  if (isQuarantined) metrics.quarantined.inc({ reason: parsed.reason });
  try {
    await within(deadlineMs, storeCallback(db, { kind, receipt, outcome, error, source, body: body.bytes }));
  } catch (failure) {
    log.error({ err: failure, receipt }, 'the validation could not be stored; it is answered all the same');
  }
}
