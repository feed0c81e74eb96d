import { isDaftariError, storeCallback } from '@repo/db';
import type { Deposit, DepositIntake, DepositResult, ErrorCode } from '@repo/db';
import { notStored } from '@repo/http';
import type { Callback } from './callback.ts';
import { parseC2b } from './parse-c2b.ts';
import type { C2bMessage } from './parse-c2b.ts';
import { quarantine } from './quarantine.ts';
import type { CallbackContext } from './quarantine.ts';

export interface ConfirmationContext extends CallbackContext {
  readonly intake: DepositIntake;
}

/**
 * Takes in the report of a payment. It resolves when the report is committed, whatever came of it (credited,
 * duplicate, suspense, held, conflict, refused, quarantined, failed): the money has moved already, so there is nothing to refuse.
 * It throws a 503 problem only when nothing could be stored.
 */
export async function takeConfirmation(context: ConfirmationContext, callback: Callback): Promise<void> {
  const parsed = parseC2b(callback.body.bytes);
  if (!parsed.ok) return quarantine(context, callback, parsed);
  const result = await recordDeposit(context, callback, parsed.message);
  const outcome = result?.outcome ?? 'failed';
  context.metrics.deposits.inc({ outcome });
  if (result !== null) reportOutcome(context, result);
}

/** Records the deposit; null when it could not be recorded but was kept as FAILED for people. */
async function recordDeposit(
  context: ConfirmationContext,
  callback: Callback,
  message: C2bMessage,
): Promise<DepositResult | null> {
  try {
    return await context.intake.record(depositOf(message, callback));
  } catch (error) {
    if (isWithoutStorage(error)) throw notStored(error);
    await keepFailed(context, { callback, receipt: message.receipt, error });
    return null;
  }
}

/** Of what passes, this comes from a database that answers: it may take the callback by itself. */
const OF_A_DATABASE_THAT_ANSWERS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'database_busy',
  'schema_outdated',
]);

/** Whether storing the callback by itself would fail as well, or it may be recorded already. */
function isWithoutStorage(error: unknown): boolean {
  if (!isDaftariError(error)) return false;
  if (error.kind === 'doubtful') return true;
  return error.kind === 'busy' && !OF_A_DATABASE_THAT_ANSWERS.has(error.code);
}

/**
 * Something about this deposit in particular went wrong; sending it again would end the same way. It is kept and
 * acknowledged, so that people find it in the inbox and the sender does not repeat it forever.
 */
async function keepFailed(
  { db, log }: ConfirmationContext,
  { callback, receipt, error }: { callback: Callback; receipt: string; error: unknown },
): Promise<void> {
  const code = isDaftariError(error) ? error.code : 'unexpected_error';
  log.error(
    { err: error, receipt, code },
    'the deposit could not be recorded; its callback is kept as FAILED',
  );
  const { kind, source, body } = callback;
  try {
    await storeCallback(db, { kind, receipt, outcome: 'FAILED', error: code, source, body: body.bytes });
  } catch (cause) {
    throw notStored(cause);
  }
}

function depositOf(message: C2bMessage, callback: Callback): Deposit {
  return {
    receipt: message.receipt,
    amount: message.amount,
    shortCode: message.shortCode,
    account: message.account,
    paidAt: message.paidAt,
    payer: { ...message.msisdn, name: message.name },
    callback: {
      kind: 'C2B_CONFIRMATION',
      source: callback.source,
      body: callback.body.bytes,
      payload: message.payload,
    },
  };
}

/** What people should look at gets a line of its own; the rest is counted. */
function reportOutcome({ log }: ConfirmationContext, result: DepositResult): void {
  const { receipt, outcome } = result;
  if (outcome === 'conflict') {
    log.warn(
      { receipt, outcome },
      'this receipt was reported before with another amount or short code; no money moved',
    );
  } else if (outcome === 'held') {
    log.warn({ receipt, outcome }, 'the amount is above MPESA_MAX_AMOUNT; the payment waits for a person');
  } else if (outcome === 'refused') {
    log.error(
      { receipt, outcome, reason: result.reason },
      'the payment can be booked nowhere; it is in the inbox as FAILED',
    );
  } else if (outcome === 'suspense') {
    log.info({ receipt, outcome, reason: result.reason }, 'the payment waits in suspense');
  } else {
    log.debug({ receipt, outcome }, 'the payment is recorded');
  }
}
