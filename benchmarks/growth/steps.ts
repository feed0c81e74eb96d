import { setTimeout as sleep } from 'node:timers/promises';
import { execute } from '@repo/postgres/database';
import { BenchmarkError } from '../lib/errors.ts';
import type { Running } from '../lib/program.ts';
import { readBook } from '../lib/sms-processes.ts';
import { lookAtCalls, lookAtTable } from './table-state.ts';
import type { Calls, TableState } from './table-state.ts';
import { addOldTexts, queueTexts } from '../data/texts.ts';

/** What a step left behind. */
export interface Step {
  /** Messages sent so far. */
  readonly sent: number;
  readonly perSecond: number;
  readonly table: TableState;
  readonly claims: Calls;
  readonly settlements: Calls;
}

export interface StepContext {
  readonly url: string;
  readonly provider: Running;
  readonly say: (what: string) => void;
}

/** Rows that one statement adds. */
const CHUNK = 250_000;

/** Without anything new for so long something is broken. */
const STALLED_AFTER_MS = 60_000;

/** Fills the table with sent messages, out of autovacuum's sight: nothing of them is analysed. */
export async function addYears(url: string, count: number, say: (what: string) => void): Promise<void> {
  await execute(url, 'ALTER TABLE services.sms_logs SET (autovacuum_enabled = false)');
  for (let added = 0; added < count; added += CHUNK) {
    say(`${String(added)} of ${String(count)} old messages are in the table`);
    // Their numbers begin where no new message's will come.
    await addOldTexts(url, { first: 1_000_000_000 + added, count: Math.min(CHUNK, count - added) });
  }
}

/** Lets autovacuum look after the table again, as it does in earnest. */
export async function allowVacuum(url: string): Promise<void> {
  await execute(url, 'ALTER TABLE services.sms_logs RESET (autovacuum_enabled)');
}

/** Queues the messages of a step. */
export async function queueStep(url: string, { from, to }: Range): Promise<void> {
  await queueTexts(url, { first: from + 1, count: to - from });
}

/** Waits until all messages of a step that are queued are sent and recorded. */
export async function sendStep(context: StepContext, { to }: Range): Promise<Step> {
  const { url, provider } = context;
  // The senders have begun already.
  const { accepted } = await readBook(provider);
  const begun = performance.now();
  await untilAccepted(context, to);
  await untilRecorded(url);
  const seconds = (performance.now() - begun) / 1_000;
  const [claims = NONE, settlements = NONE] = await lookAtCalls(url, [
    'services.claim_sms',
    'services.settle_sms',
  ]);
  return {
    sent: to,
    perSecond: (to - accepted) / seconds,
    table: await lookAtTable(url),
    claims,
    settlements,
  };
}

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** The same number of messages in each step, but for the last. */
export function stepsOf(messages: number, steps: number): Range[] {
  const size = Math.ceil(messages / steps);
  return Array.from({ length: Math.ceil(messages / size) }, (_, step) => {
    return { from: step * size, to: Math.min((step + 1) * size, messages) };
  });
}

const NONE: Calls = { calls: 0, rows: 0, mean: Number.NaN, slowest: Number.NaN };

async function untilAccepted({ provider, say }: StepContext, count: number): Promise<void> {
  let last = { accepted: -1, at: 0 };
  for (;;) {
    const { accepted } = await readBook(provider);
    if (accepted >= count) return;
    const now = performance.now();
    if (accepted > last.accepted) last = { accepted, at: now };
    if (now - last.at > STALLED_AFTER_MS) {
      throw new BenchmarkError(
        'queue_stalled',
        `${String(accepted)} of ${String(count)} are accepted; see the log.`,
      );
    }
    say(`${String(accepted)} messages are sent`);
    await sleep(100);
  }
}

async function untilRecorded(url: string): Promise<void> {
  // In the order of the index of what is under way, so that nothing else is read.
  const query = `SELECT id FROM services.sms_logs WHERE phase = 'SENDING' ORDER BY lease_until LIMIT 1`;
  const until = performance.now() + STALLED_AFTER_MS;
  while (performance.now() < until) {
    if ((await execute(url, query)).length === 0) return;
    await sleep(20);
  }
  throw new BenchmarkError('queue_stalled', 'some messages that the provider has are not recorded.');
}
