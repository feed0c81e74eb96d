import { isDaftariError, storeCallback } from '@repo/db';
import type { DepositResult, ErrorCode } from '@repo/db';
import { notStored } from '@repo/http';
import type { Callback } from './callback.ts';
import type { CallbackContext } from './quarantine.ts';

export interface Recording {
  readonly callback: Callback;
  readonly receipt: string;
  readonly record: () => Promise<DepositResult>;
}

/**
 * Records the deposit that a callback reports, counts it and reports what people should look at; null when it could not be
 * recorded but was kept as FAILED for people. It throws a 503 problem only when nothing could be stored.
 */
export async function recordOrKeep(
  context: CallbackContext,
  { callback, receipt, record }: Recording,
): Promise<DepositResult | null> {
  let result: DepositResult | null = null;
  try {
    result = await record();
  } catch (error) {
    if (isWithoutStorage(error)) throw notStored(error);
    await keepFailed(context, { callback, receipt, error });
  }
  context.metrics.deposits.inc({ outcome: result?.outcome ?? 'failed' });
  if (result !== null) reportOutcome(context, result);
  return result;
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
  { db, log }: CallbackContext,
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

/** What people should look at gets a line of its own; the rest is counted. */
function reportOutcome({ log }: CallbackContext, result: DepositResult): void {
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
