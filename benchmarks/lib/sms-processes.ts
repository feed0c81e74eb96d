import { smsSettings } from '@repo/simulator';
import type { BookSummary } from '@repo/simulator';
import { BenchmarkError } from './errors.ts';
import { startProgram } from './program.ts';
import type { Running } from './program.ts';

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
    parameters: (port) => [`--port=${port}`, `--delay-ms=${String(delayMs)}`, '--forget'],
    readyPath: '/book',
  });
}

/**
 * Starts SMS services side by side, with default settings but for the slots, and waits until all are ready. Disposing of
 * them lets requests under way end and records what came of them.
 */
export async function startSenders(
  databaseUrl: string,
  providerUrl: string,
  { senders, slots }: Omit<Sending, 'delayMs'>,
): Promise<AsyncDisposable> {
  await using starting = new AsyncDisposableStack();
  const start = async () => {
    const sender = await startProgram({
      folder: 'apps/sms',
      script: 'src/main.ts',
      settings: (port) => ({
        DATABASE_URL: databaseUrl,
        API_KEY: 'benchmark-key',
        SMS_CALLBACK_TOKEN: 'benchmark-callback-token',
        SMS_PORT: port,
        SMS_CONCURRENCY: String(slots),
        ...smsSettings(providerUrl),
      }),
      readyPath: '/health/ready',
    });
    starting.use(sender);
  };
  await Promise.all(Array.from({ length: senders }, start));
  return starting.move();
}

/** What the provider has accepted, by its own account. */
export async function readBook({ url }: Running): Promise<BookSummary> {
  const response = await fetch(`${url}/book`);
  if (!response.ok)
    throw new BenchmarkError('service_not_ready', `the provider: HTTP ${String(response.status)}.`);
  return (await response.json()) as BookSummary;
}
