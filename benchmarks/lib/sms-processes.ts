import { BenchmarkError } from './errors.ts';
import { startProgram } from './program.ts';
import type { Running } from './program.ts';

const API_KEY = 'benchmark-provider-key';

/** The default slots of a sender. */
export const USUAL_SLOTS = 64;

/** Senders, each with so many requests under way at most, and how long the provider takes for one. */
export interface Sending {
  readonly senders: number;
  /** Of each sender. */
  readonly slots: number;
  readonly delayMs: number;
}

/** The simulated Africa's Talking as a process of its own, which keeps sums only. */
export function startProvider(delayMs: number): Promise<Running> {
  return startProgram({
    folder: 'tools/simulator',
    script: 'src/africas-talking/main.ts',
    parameters: (port) => [
      `--port=${port}`,
      `--api-key=${API_KEY}`,
      `--delay-ms=${String(delayMs)}`,
      '--forget',
    ],
    readyPath: '/book',
  });
}

/** Starts SMS services side by side and waits until all are ready. They have default settings but for the slots. */
export async function startSenders(
  databaseUrl: string,
  providerUrl: string,
  { senders, slots }: Omit<Sending, 'delayMs'>,
): Promise<Running[]> {
  const settings = (port: string) => ({
    DATABASE_URL: databaseUrl,
    API_KEY: 'benchmark-key',
    SMS_CALLBACK_TOKEN: 'benchmark-callback-token',
    SMS_PORT: port,
    SMS_PROVIDER: 'africas-talking',
    SMS_CONCURRENCY: String(slots),
    AT_BASE_URL: providerUrl,
    AT_USERNAME: 'sandbox',
    AT_API_KEY: API_KEY,
  });
  const start = () =>
    startProgram({ folder: 'apps/sms', script: 'src/main.ts', settings, readyPath: '/health/ready' });
  const outcomes = await Promise.allSettled(Array.from({ length: senders }, start));
  const running = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) return running;
  await stopAll(running);
  throw failed.reason;
}

/** Asks all of them to stop, which lets requests under way end and records what came of them. */
export async function stopAll(running: readonly Running[]): Promise<void> {
  await Promise.all(running.map((each) => each[Symbol.asyncDispose]()));
}

/** What the provider has accepted, by its own account. */
export interface ProviderBook {
  readonly accepted: number;
  /** Decimal string of KES with four decimals. */
  readonly cost: string;
  /** Acceptances beyond the first of the same text to the same number. */
  readonly duplicates: number;
  readonly refused: number;
}

export async function readBook({ url }: Running): Promise<ProviderBook> {
  const response = await fetch(`${url}/book`);
  if (!response.ok)
    throw new BenchmarkError('service_not_ready', `the provider: HTTP ${String(response.status)}.`);
  return (await response.json()) as ProviderBook;
}
