import { createHash } from 'node:crypto';
import { createDb, openWallet, requestPayment } from '@repo/db';
import { execute } from '@repo/postgres/database';
import { createRandom } from '@repo/simulator';
import { Agent, request } from 'undici';
import { auditDatabase } from '../audit.ts';
import { startProgram, TRIAL_KEY, TRIAL_TOKEN } from '../sms-kill-trial/processes.ts';
import { createMessage, MESSAGE_KINDS } from './messages.ts';
import type { Known } from './messages.ts';
import { mutate, MUTATION_NAMES } from './mutations.ts';

export interface MutationTrialOptions {
  /** A migrated database without wallets. */
  readonly databaseUrl: string;
  readonly callbacks: number;
  readonly seed: string;
  /** Callbacks under way at once. */
  readonly atOnce: number;
  readonly say: (line: string) => void;
  /** Does to a callback what must not be done to it; for tests of the trial. */
  readonly spoil?: (sent: Sent) => Sent;
}

/** What was sent, and what the service said. */
interface Sent {
  readonly mutation: string;
  /** The digest of what the inbox must have of it. */
  readonly kept: string;
  /** Null when there was no answer. */
  readonly status: number | null;
}

export interface MutationReport {
  /** For each mutation how often each status was answered; `none` for no answer. */
  readonly answers: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly sent: number;
  /** Callbacks that the inbox lacks, and bodies in it that nobody sent. */
  readonly lost: number;
  readonly strangers: number;
  /** Callbacks of the inbox by what became of them. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Whether the process that took the first callback took the last one. */
  readonly isAlive: boolean;
  /** The sum of all balances. */
  readonly sum: string;
  readonly audit: readonly string[];
}

/** What the inbox keeps of a body that is longer; the service's own limit, said here once more. */
const KEPT_BYTES = 65_536;
const WALLETS = 20;

/** Sends spoilt callbacks to a service of its own and looks for each of them in the inbox. */
export async function runMutationTrial(options: MutationTrialOptions): Promise<MutationReport> {
  const { databaseUrl, spoil = (sent) => sent } = options;
  const known = await openKnown(databaseUrl);
  const service = startProgram({
    path: 'apps/mpesa/src/main.ts',
    parameters: [],
    environment: {
      DATABASE_URL: databaseUrl,
      API_KEY: TRIAL_KEY,
      MPESA_CALLBACK_TOKEN: TRIAL_TOKEN,
      MPESA_PORT: '0',
      // The trial calls from this machine, which is no address of M-PESA.
      MPESA_SOURCE_CHECK: 'off',
    },
  });
  try {
    const url = await service.url;
    if (url === '') throw new Error('the M-PESA service did not start');
    const sent = (await sendAll(url, known, options)).map(spoil);
    const isAlive = await answersStill(url);
    const { isRight, lines } = await auditDatabase(databaseUrl);
    return { ...(await compare(databaseUrl, sent)), isAlive, audit: isRight ? [] : lines };
  } finally {
    await service.stop();
  }
}

async function openKnown(databaseUrl: string): Promise<Known> {
  const db = createDb({ url: databaseUrl, maxConnections: 2 });
  try {
    const wallets: string[] = [];
    const payments: string[] = [];
    for (let place = 0; place < WALLETS; place += 1) {
      const phone = `2547000002${String(place).padStart(2, '0')}`;
      const { number } = await openWallet(db, { holderName: 'Amina Otieno', phone });
      const ask = { wallet: number, amount: '150', phone, shortCode: '600100', leaseMs: 60_000 };
      const { payment } = await requestPayment(db, { ...ask, idempotencyKey: `trial-${String(place)}` });
      wallets.push(number);
      payments.push(payment.id);
    }
    return { wallets: atLeastOne(wallets), payments: atLeastOne(payments) };
  } finally {
    await db.close();
  }
}

function atLeastOne(texts: readonly string[]): readonly [string, ...string[]] {
  const [first, ...others] = texts;
  if (first === undefined) throw new RangeError('there must be one at least');
  return [first, ...others];
}

async function sendAll(url: string, known: Known, options: MutationTrialOptions): Promise<Sent[]> {
  const { callbacks, seed, atOnce, say } = options;
  const agent = new Agent({ connections: atOnce, bodyTimeout: 60_000, headersTimeout: 60_000 });
  const sent: Sent[] = [];
  const step = Math.max(1, Math.floor(callbacks / 10));
  let next = 0;

  async function sendOnAndOn(): Promise<void> {
    while (next < callbacks) {
      const place = next;
      next += 1;
      // Each has a chance of its own: what is sent does not depend on which answer comes first.
      const random = createRandom(`${seed} ${String(place)}`);
      const mutation = MUTATION_NAMES[place % MUTATION_NAMES.length] ?? '';
      const { path, text } = createMessage(random.pick(MESSAGE_KINDS), known, random);
      const { body, headers } = mutate(mutation, text, random);
      const status = await post(agent, `${url}${path.replace(':token', TRIAL_TOKEN)}`, { body, headers });
      sent.push({ mutation, kept: digestOf(body.subarray(0, KEPT_BYTES)), status });
      if (sent.length % step === 0) say(`${String(sent.length)} of ${String(callbacks)} callbacks`);
    }
  }

  try {
    await Promise.all(Array.from({ length: atOnce }, sendOnAndOn));
  } finally {
    await agent.destroy();
  }
  return sent;
}

async function post(
  dispatcher: Agent,
  url: string,
  { body, headers }: { readonly body: Buffer; readonly headers: Readonly<Record<string, string>> },
): Promise<number | null> {
  try {
    const answer = await request(url, {
      dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
    await answer.body.dump();
    return answer.statusCode;
  } catch {
    // It counts as no answer, which is what the trial looks for.
    return null;
  }
}

async function answersStill(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/health/live`).catch(() => null);
  return answer?.status === 200;
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function compare(
  databaseUrl: string,
  sent: readonly Sent[],
): Promise<Pick<MutationReport, 'answers' | 'sent' | 'lost' | 'strangers' | 'outcomes' | 'sum'>> {
  const rows = (await execute(
    databaseUrl,
    `SELECT encode(sha256(body), 'hex') AS digest, count(*)::int AS count FROM services.mpesa_callbacks GROUP BY 1`,
  )) as { digest: string; count: number }[];
  const outcomes = (await execute(
    databaseUrl,
    `SELECT outcome::text AS outcome, count(*)::int AS count FROM services.mpesa_callbacks GROUP BY 1 ORDER BY 1`,
  )) as { outcome: string; count: number }[];
  const [row] = await execute(databaseUrl, `SELECT sum(balance)::text AS sum FROM core.wallets`);
  const left = new Map(rows.map(({ digest, count }) => [digest, count]));
  let lost = 0;
  for (const { kept } of sent) {
    const count = left.get(kept) ?? 0;
    if (count === 0) lost += 1;
    else left.set(kept, count - 1);
  }
  const answers: Record<string, Record<string, number>> = {};
  for (const { mutation, status } of sent) {
    const of = (answers[mutation] ??= {});
    const name = status === null ? 'none' : String(status);
    of[name] = (of[name] ?? 0) + 1;
  }
  return {
    answers,
    sent: sent.length,
    lost,
    strangers: [...left.values()].reduce((sum, count) => sum + count, 0),
    outcomes: Object.fromEntries(outcomes.map(({ outcome, count }) => [outcome, count])),
    sum: String(row?.['sum']),
  };
}

/** What is wrong with a trial; empty when all of it is right. */
export function faultsOf({
  answers,
  lost,
  strangers,
  isAlive,
  sum,
  audit,
  outcomes,
}: MutationReport): string[] {
  const failed = Object.entries(answers).flatMap(([mutation, statuses]) =>
    Object.entries(statuses)
      .filter(([status]) => status === 'none' || Number(status) >= 500)
      .map(([status, count]) => `${mutation}: ${String(count)} answered ${status}`),
  );
  return [
    ...failed,
    ...(lost === 0 ? [] : [`${String(lost)} callbacks are not in the inbox`]),
    ...(strangers === 0 ? [] : [`${String(strangers)} bodies in the inbox that nobody sent`]),
    ...(isAlive ? [] : ['the service does not answer any more']),
    ...(sum === '0.00' ? [] : [`all balances come to ${sum}`]),
    ...(outcomes['FAILED'] === undefined ? [] : [`${String(outcomes['FAILED'])} callbacks failed inside`]),
    ...audit,
  ];
}
