import type { CpuTime } from '../lib/cpu-time.ts';
import { median } from '../lib/percentiles.ts';
import { sendings } from '../load/sms.ts';
import type { SmsSample } from '../load/sms.ts';
import type { Sending } from '../lib/sms-processes.ts';

/** Medians over the rounds of one way to send. */
export interface SmsSummary extends Sending {
  readonly claimed: number;
  readonly accepted: number;
  readonly perSecond: number;
  /** The slowest and the fastest round. */
  readonly slowest: number;
  readonly fastest: number;
  readonly p50: number;
  readonly p99: number;
  /** How many cores each kept busy. */
  readonly cores: CpuTime;
}

/** The aim of every way to send, in messages a second. */
export const smsAim = 5_000;

export function summarizeSms(samples: readonly SmsSample[]): SmsSummary[] {
  return sendings.map((sending) => {
    const { senders, delayMs } = sending;
    const own = samples.filter((sample) => sample.senders === senders && sample.delayMs === delayMs);
    const middle = (pick: (sample: SmsSample) => number) => median(own.map(pick));
    const rates = own.map(({ perSecond }) => perSecond);
    return {
      ...sending,
      claimed: middle(({ claimed }) => claimed),
      accepted: middle(({ accepted }) => accepted),
      perSecond: middle(({ perSecond }) => perSecond),
      slowest: Math.min(...rates),
      fastest: Math.max(...rates),
      p50: middle(({ p50 }) => p50),
      p99: middle(({ p99 }) => p99),
      cores: {
        postgres: middle(({ cores }) => cores.postgres),
        senders: middle(({ cores }) => cores.senders),
        provider: middle(({ cores }) => cores.provider),
        machine: middle(({ cores }) => cores.machine),
      },
    };
  });
}
