import { setTimeout as sleep } from 'node:timers/promises';
import { execute } from '@repo/postgres/database';
import { queueTexts } from '../data/texts.ts';
import { BenchmarkError } from '../lib/errors.ts';
import type { Running } from '../lib/program.ts';
import { readBook } from '../lib/sms-processes.ts';
import { readCalls, readTable, resetCalls } from './table-state.ts';
import type { Calls, TableState } from './table-state.ts';

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

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Without anything new for so long something is broken. */
const STALLED_AFTER_MS = 60_000;

/** The same number of messages in each step, but for the last. */
export function stepsOf(messages: number, steps: number): Range[] {
  const size = Math.ceil(messages / steps);
  return Array.from({ length: Math.ceil(messages / size) }, (_, step) => {
    return { from: step * size, to: Math.min((step + 1) * size, messages) };
  });
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
  const claims = await readCalls(url, 'services.claim_sms');
  const settlements = await readCalls(url, 'services.settle_sms');
  await resetCalls(url);
  const table = await readTable(url);
  return { sent: to, perSecond: (to - accepted) / seconds, table, claims, settlements };
}

async function untilAccepted({ provider, say }: StepContext, count: number): Promise<void> {
  let last = { accepted: -1, at: 0 };
  for (;;) {
    const { accepted } = await readBook(provider);
    if (accepted >= count) return;
    const now = performance.now();
    if (accepted > last.accepted) last = { accepted, at: now };
    if (now - last.at > STALLED_AFTER_MS) {
      throw new BenchmarkError('queue_stalled', `${String(accepted)} of ${String(count)} are accepted.`);
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
