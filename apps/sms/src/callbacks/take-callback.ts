import { isDaftariError, recordDeliveryReport, recordOptOut } from '@repo/db';
import type { DeliveryOutcome, Handle } from '@repo/db';
import { findDamage, lowerCase, notStored } from '@repo/http';
import type { RawBody } from '@repo/http';
import type { FastifyBaseLogger } from 'fastify';
import { REASON_TEXTS } from '../providers/report-reasons.ts';
import type { UnreadableReason } from '../providers/report-reasons.ts';
import type { CallbackReader } from '../providers/provider.ts';
import { harmless } from '../providers/send-codes.ts';
import type { SmsMetrics } from '../sms-metrics.ts';

/** What the handlers of callbacks work with. */
export interface CallbackContext {
  readonly db: Handle;
  readonly callbacks: CallbackReader;
  readonly metrics: SmsMetrics;
  readonly log: FastifyBaseLogger;
}

/** Why a callback cannot be used, and what there is to know besides, such as how much of it was kept. */
export interface Quarantined {
  readonly reason: UnreadableReason;
  readonly note?: string;
}

/**
 * Takes in what the provider says of a message. It resolves when the report is committed, whatever came of it, and
 * throws a 503 problem only when nothing could be stored.
 */
export async function takeDeliveryReport(context: CallbackContext, body: RawBody): Promise<void> {
  const { provider, readReport } = context.callbacks;
  const read = readReport(body.bytes);
  if (!read.ok) return quarantine(context, body, read);
  const report = read.value;
  try {
    const recorded = await recordDeliveryReport(context.db, { provider, ...report, body: body.bytes });
    context.metrics.reports.inc({ outcome: lowerCase(recorded.outcome) });
    tell(context, recorded.outcome, recorded.id);
    if (report.state === 'unknown') {
      const status = harmless(report.status);
      context.log.warn(
        { report: recorded.id, status },
        'a delivery status that is not listed; it decides nothing',
      );
    }
  } catch (error) {
    await keepAnyway(context, body, error);
  }
}

/** Takes in that somebody wants no more messages. As with reports, a 503 problem means that nothing was stored. */
export async function takeOptOut(context: CallbackContext, body: RawBody): Promise<void> {
  const read = context.callbacks.readOptOut(body.bytes);
  if (!read.ok) return quarantine(context, body, read);
  const { phone, senderId } = read.value;
  try {
    // Sender ids have 11 characters; what is longer is none, and the wish counts all the same.
    const sender = senderId === null || senderId.length > 20 ? {} : { senderId };
    const { recorded } = await recordOptOut(context.db, { number: phone, ...sender });
    context.metrics.optOuts.inc({ result: recorded ? 'new' : 'known' });
  } catch (error) {
    await keepAnyway(context, body, error);
  }
}

/** Keeps what came of a callback that is not whole, and refuses the request; passes every other. */
export async function refuseDamaged(context: CallbackContext, body: RawBody): Promise<void> {
  const damage = findDamage(body);
  if (damage === null) return;
  await quarantine(context, body, damage);
  throw damage.refusal;
}

/** Keeps a callback that cannot be read, as it came, for people to look at. Throws 503 when it cannot be stored. */
export async function quarantine(
  context: CallbackContext,
  body: RawBody,
  { reason, note }: Quarantined,
): Promise<void> {
  const id = await store(context, body, note === undefined ? reason : `${reason}: ${note}`);
  context.metrics.quarantined.inc({ reason });
  context.log.warn({ report: id, reason }, REASON_TEXTS[reason]);
}

/** Something about this callback in particular went wrong: it is kept as it came, so that nobody has to repeat it. */
async function keepAnyway(context: CallbackContext, body: RawBody, error: unknown): Promise<void> {
  if (isOfTheMoment(error)) throw notStored(error);
  const id = await store(context, body, 'not_recorded');
  context.metrics.quarantined.inc({ reason: 'not_recorded' });
  context.log.error({ err: error, report: id }, 'a callback could not be recorded; it is kept as it came');
}

/** Whether nothing can be stored at this moment, or it may be stored already. */
function isOfTheMoment(error: unknown): boolean {
  return isDaftariError(error) && (error.kind === 'busy' || error.kind === 'doubtful');
}

/** What is known of a report that could not be read. */
const NOTHING = {
  providerMessageId: null,
  state: null,
  status: null,
  explanation: null,
  network: null,
  retryCount: null,
  phone: null,
} as const;

/** The reason takes the place of the provider's own in a report that could not be read. */
async function store(
  { db, callbacks: { provider }, metrics }: CallbackContext,
  { bytes }: RawBody,
  reason: string,
): Promise<string> {
  try {
    const { id, outcome } = await recordDeliveryReport(db, { provider, ...NOTHING, reason, body: bytes });
    metrics.reports.inc({ outcome: lowerCase(outcome) });
    return id;
  } catch (cause) {
    throw notStored(cause);
  }
}

function tell({ log }: CallbackContext, outcome: DeliveryOutcome, report: string): void {
  if (outcome === 'MISMATCHED' || outcome === 'AMBIGUOUS') {
    log.warn({ report, outcome }, 'a report whose message is not certain; it is kept and changes nothing');
  } else {
    log.debug({ report, outcome }, 'a delivery report is recorded');
  }
}
