import { setTimeout as sleep } from 'node:timers/promises';
import { execute } from '@repo/postgres/database';
import { auditTexts } from '../audit/texts.ts';
import { BenchmarkError } from '../lib/errors.ts';
import { coresUsed, readCpuTime } from '../lib/usage.ts';
import type { CpuPids, CpuTime } from '../lib/usage.ts';
import type { Pace } from './options.ts';
import type { Running } from '../lib/program.ts';
import { USUAL_SLOTS, readBook, startProvider, startSenders, stopAll } from '../lib/sms-processes.ts';
import type { Sending } from '../lib/sms-processes.ts';
import { turned } from './contest.ts';
import type { Turn, Workbench } from './workbench.ts';

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

export interface SmsSample extends Sending {
  /** Messages a second inside the window: claimed and recorded by the database's clock, accepted by the provider's book. */
  readonly claimed: number;
  readonly accepted: number;
  readonly perSecond: number;
  /** Milliseconds from the claim to the record of the answer, of those recorded in the window. */
  readonly p50: number;
  readonly p99: number;
  readonly cores: CpuTime;
}

/** Measures the SMS service, with one sender and with two, on messages that wait in the outbox. */
export async function measureSms(bench: Workbench, { round, say }: Turn): Promise<SmsSample[]> {
  const samples: SmsSample[] = [];
  for (const sending of turned(SENDINGS, round)) {
    say(`SMS, ${String(sending.senders)} senders, ${String(sending.delayMs)} ms`);
    samples.push(await measureSending(bench, sending));
  }
  return samples;
}

async function measureSending({ databases, pace }: Workbench, sending: Sending): Promise<SmsSample> {
  return databases.withFresh('texts', async (url) => {
    await using provider = await startProvider(sending.delayMs);
    const senders = await startSenders(url, provider.url, sending);
    const pids = {
      postgres: databases.server.pid,
      senders: senders.map(({ pid }) => pid),
      provider: provider.pid,
    };
    let window: Awaited<ReturnType<typeof observe>>;
    try {
      window = await observe(() => look(url, provider, pids), pace);
    } finally {
      await stopAll(senders);
    }
    await auditTexts(url, pace.texts, await readBook(provider));
    const { from, to, seconds } = window;
    return {
      ...sending,
      accepted: (to.accepted - from.accepted) / seconds,
      cores: coresUsed(from.cpu, to.cpu, seconds),
      ...(await countWindow(url, from.time, to.time)),
    };
  });
}

/** What is known at a moment without disturbing the senders: it asks the database for the time and nothing else. */
interface Moment {
  /** By the database's clock. */
  readonly time: string;
  readonly accepted: number;
  readonly cpu: CpuTime;
}

async function look(url: string, provider: Running, pids: CpuPids): Promise<Moment> {
  const [time, book, cpu] = await Promise.all([databaseTime(url), readBook(provider), readCpuTime(pids)]);
  return { time, accepted: book.accepted, cpu };
}

/** Opens a window when the senders are warm, and closes it. */
async function observe(lookNow: () => Promise<Moment>, { serviceWindow, texts }: Pace) {
  await sleep(serviceWindow / 2);
  const from = await lookNow();
  const opened = performance.now();
  await sleep(serviceWindow);
  const to = await lookNow();
  const seconds = (performance.now() - opened) / 1_000;
  if (to.accepted < texts) return { from, to, seconds };
  throw new BenchmarkError(
    'queue_empty',
    `all ${String(texts)} messages were gone; queue more (options.ts).`,
  );
}

async function databaseTime(url: string): Promise<string> {
  const [row] = await execute(url, `SELECT (clock_timestamp() AT TIME ZONE 'UTC')::text AS now`);
  return String(row?.['now']);
}

/** What the database has recorded in the window. It is counted when everything is over, so as not to disturb it. */
async function countWindow(
  url: string,
  from: string,
  to: string,
): Promise<Pick<SmsSample, 'claimed' | 'perSecond' | 'p50' | 'p99'>> {
  const [row] = await execute(
    url,
    `WITH w AS (SELECT '${from}'::timestamp AS opened, '${to}'::timestamp AS closed),
          m AS (
              SELECT claimed_at >= w.opened AND claimed_at < w.closed AS is_claimed,
                     settled_at >= w.opened AND settled_at < w.closed AS is_settled,
                     extract(epoch FROM settled_at - claimed_at)::float8 * 1000 AS took
                FROM services.sms_logs, w
               WHERE claimed_at IS NOT NULL
          )
     SELECT count(*) FILTER (WHERE is_claimed)::int AS claimed, count(*) FILTER (WHERE is_settled)::int AS settled,
            (SELECT extract(epoch FROM closed - opened)::float8 FROM w) AS seconds,
            percentile_disc(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE is_settled) AS p50,
            percentile_disc(0.99) WITHIN GROUP (ORDER BY took) FILTER (WHERE is_settled) AS p99
       FROM m`,
  );
  const fact = (name: string) => Number(row?.[name] ?? Number.NaN);
  return {
    claimed: fact('claimed') / fact('seconds'),
    perSecond: fact('settled') / fact('seconds'),
    p50: fact('p50'),
    p99: fact('p99'),
  };
}
