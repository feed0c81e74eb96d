import type { Environment } from '../env.ts';
import type { SenderSettings } from './sender.ts';

/** What turns a message away that may be sent another time: 5 s, then twice as long each time, to a quarter hour. */
const BACK_OFF = { firstMs: 5_000, longestMs: 900_000 };

/** How the sender of this name behaves by the environment. */
export function senderSettings(environment: Environment, name: string): SenderSettings {
  const amount = environment.SMS_DAILY_BUDGET;
  return {
    name,
    concurrency: environment.SMS_CONCURRENCY,
    leaseMs: environment.SMS_LEASE_SECONDS * 1_000,
    timeoutMs: environment.SMS_TIMEOUT_SECONDS * 1_000,
    maxAgeMs: environment.SMS_MAX_AGE_HOURS * 3_600_000,
    pollMs: environment.SMS_POLL_MS,
    retry: { backOff: BACK_OFF, maxAttempts: environment.SMS_MAX_ATTEMPTS },
    ...(amount === undefined ? {} : { budget: { amount, currency: environment.SMS_BUDGET_CURRENCY } }),
  };
}
