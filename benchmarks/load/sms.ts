import { setTimeout as sleep } from 'node:timers/promises';
import { auditTexts } from '../audit/texts.ts';
import { BenchmarkError } from '../lib/errors.ts';
import { readFacts, readNumbers } from '../lib/facts.ts';
import type { Running } from '../lib/program.ts';
import { USUAL_SLOTS, readBook, startProvider, startSenders } from '../lib/sms-processes.ts';
import type { Sending } from '../lib/sms-processes.ts';
import { turned } from './contest.ts';
import type { Pace, Workbench } from './workbench.ts';

/**
 * A provider that takes 200 ms needs 1,000 slots for 5,000 messages a second, and more for the time in which a message
 * is claimed and recorded.
 */
export const SENDINGS: readonly Sending[] = [
  { senders: 1, slots: USUAL_SLOTS, delayMs: 0 },
  { senders: 2, slots: USUAL_SLOTS, delayMs: 0 },
  { senders: 1, slots: 2_000, delayMs: 200 },
  { senders: 2, slots: 1_000, delayMs: 200 },
];

/** What the database has recorded in a window. */
interface WindowCounts {
  /** Messages a second, by the database's clock. */
  readonly claimed: number;
  readonly perSecond: number;
  /** Milliseconds from the claim to the record of the answer, of those recorded in the window. */
  readonly p50: number;
  readonly p99: number;
}

export interface SmsSample extends Sending, WindowCounts {
  /** Messages a second, by the provider's book. */
  readonly accepted: number;
}

/** Measures the SMS service, with one sender and with two, on messages that wait in the outbox. */
export async function measureSms(bench: Workbench): Promise<SmsSample[]> {
  const samples: SmsSample[] = [];
  for (const sending of turned(SENDINGS, bench.round)) {
    bench.say(`SMS, ${String(sending.senders)} senders, ${String(sending.delayMs)} ms`);
    samples.push(await bench.databases.withFresh('texts', (url) => measureSending(bench, url, sending)));
  }
  return samples;
}

async function measureSending({ pace }: Workbench, url: string, sending: Sending): Promise<SmsSample> {
  await using provider = await startProvider(sending.delayMs);
  const senders = startSenders(url, provider.url, sending);
  const { from, to } = await watch(senders, () => look(url, provider), pace);
  if (to.accepted >= pace.texts) {
    throw new BenchmarkError(
      'queue_empty',
      `all ${String(pace.texts)} messages were gone; queue more (Pace).`,
    );
  }
  await auditTexts(url, pace.texts, await readBook(provider));
  const accepted = ((to.accepted - from.accepted) * 1_000) / (to.at - from.at);
  return { ...sending, accepted, ...(await countWindow(url, from.time, to.time)) };
}

/** Opens a window when the senders are warm, closes it, and waits until the senders have stopped. */
async function watch<Seen>(
  senders: Promise<AsyncDisposable>,
  lookNow: () => Promise<Seen>,
  { serviceWindow }: Pace,
): Promise<{ readonly from: Seen; readonly to: Seen }> {
  await using _running = await senders;
  await sleep(serviceWindow / 2);
  const from = await lookNow();
  await sleep(serviceWindow);
  return { from, to: await lookNow() };
}

/** What is known at a moment without disturbing the senders: it asks the database for the time and nothing else. */
async function look(url: string, provider: Running) {
  const [{ now = '' }, { accepted }] = await Promise.all([
    readFacts(url, `SELECT (clock_timestamp() AT TIME ZONE 'UTC')::text AS now`),
    readBook(provider),
  ]);
  return { at: performance.now(), time: now, accepted };
}

/** It is counted when everything is over, so as not to disturb it. */
function countWindow(url: string, from: string, to: string): Promise<WindowCounts> {
  return readNumbers<keyof WindowCounts>(
    url,
    `WITH w AS (SELECT '${from}'::timestamp AS opened, '${to}'::timestamp AS closed),
          m AS (
              SELECT claimed_at >= opened AND claimed_at < closed AS is_claimed,
                     settled_at >= opened AND settled_at < closed AS is_settled,
                     extract(epoch FROM settled_at - claimed_at)::float8 * 1000 AS took,
                     extract(epoch FROM closed - opened)::float8 AS seconds
                FROM services.sms_logs, w
               WHERE claimed_at IS NOT NULL
          )
     SELECT count(*) FILTER (WHERE is_claimed) / max(seconds) AS claimed,
            count(*) FILTER (WHERE is_settled) / max(seconds) AS "perSecond",
            percentile_disc(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE is_settled) AS p50,
            percentile_disc(0.99) WITHIN GROUP (ORDER BY took) FILTER (WHERE is_settled) AS p99
       FROM m`,
  );
}
