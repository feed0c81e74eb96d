import { setTimeout as sleep } from 'node:timers/promises';
import { execute } from '@repo/postgres/database';
import { createRandom } from '@repo/simulator';
import type { Random } from '@repo/simulator';
import { until } from '@repo/testing/until';
import { freePort } from '../processes.ts';
import { audit } from './audit.ts';
import type { Audit } from './audit.ts';
import { readBook } from './book.ts';
import { createPerson } from './person.ts';
import type { Decisions, Person } from './person.ts';
import { startProvider, startSms, TRIAL_TOKEN } from './processes.ts';
import type { TrialProcess } from './processes.ts';

export interface TrialOptions {
  /** A migrated database without messages. */
  readonly databaseUrl: string;
  /** What senders connect to, in turns: the nodes of a distributed database. Default: the database. */
  readonly nodes?: readonly string[];
  readonly messages: number;
  /** For so long two senders are killed every second. */
  readonly seconds: number;
  readonly senders: number;
  /** What the provider takes for an answer. */
  readonly delayMs: number;
  /** Requests under way at once in one sender. */
  readonly concurrency: number;
  /** Chooses which sender is killed. */
  readonly seed: string;
  /** Of so many messages of unknown outcome one is sent again without a look into the books; 0 for none. */
  readonly carelessOneIn: number;
  readonly say?: (line: string) => void;
}

export interface TrialReport {
  readonly audit: Audit;
  readonly decisions: Decisions;
  readonly kills: number;
  /** Messages not done when the killing ended. */
  readonly leftAfterKills: number;
  /** How many of the senders ended in order when they were asked to. */
  readonly endedInOrder: number;
}

/** How often the state is looked at while it is waited for. */
const LOOK_MS = 250;

/**
 * Has messages sent by several processes of the service while two of them are killed every second, lets a person decide
 * about what nobody can know, and compares every row with the provider's book.
 */
export async function runKillTrial(options: TrialOptions): Promise<TrialReport> {
  const { databaseUrl, say = () => undefined } = options;
  await queueMessages(databaseUrl, options.messages);
  const port = await freePort();
  const reportUrl = `http://127.0.0.1:${port}/delivery-reports/${TRIAL_TOKEN}`;
  const running: TrialProcess[] = [];
  try {
    // The desk is never killed: it takes the reports, and what the person decides.
    const desk = startSms({ databaseUrl, providerUrl: null, port });
    const provider = startProvider({ delayMs: options.delayMs, reportUrl });
    running.push(desk, provider);
    const [serviceUrl, providerUrl] = await Promise.all([desk.url, provider.url]);
    const { concurrency, carelessOneIn, nodes = [databaseUrl] } = options;
    let started = 0;
    const start = () => {
      started += 1;
      return startSms({
        databaseUrl: nodes[started % nodes.length] ?? databaseUrl,
        providerUrl,
        concurrency,
      });
    };
    const senders = Array.from({ length: options.senders }, start);
    running.push(...senders);
    await Promise.all(senders.map((sender) => sender.url));
    say(`${String(senders.length)} senders run`);

    const person = createPerson({ serviceUrl, providerUrl, carelessOneIn });
    const kills = await killForAWhile({ senders, start, running, person, options });
    const leftAfterKills = await countLeft(databaseUrl);
    say(`${String(kills)} killed, ${String(leftAfterKills)} messages left`);
    await untilDone(databaseUrl, person);
    // A sender that was started at the very end hears the signal only when it runs.
    await Promise.all(senders.map((sender) => sender.url));
    const codes = await Promise.all(senders.map((sender) => sender.stop()));
    const report = await audit(databaseUrl, await readBook(providerUrl));
    const endedInOrder = codes.filter((code) => code === 0).length;
    return { audit: report, decisions: person.decisions, kills, leftAfterKills, endedInOrder };
  } finally {
    await Promise.all(running.map((each) => each.kill()));
  }
}

async function queueMessages(databaseUrl: string, messages: number): Promise<void> {
  await execute(
    databaseUrl,
    `INSERT INTO services.sms_logs (recipient, message, status, template, lane)
     SELECT '2547' || lpad(i::text, 8, '0'), 'KES ' || i || '.00 received. Reference T' || i || '.', 'PENDING', 'trial',
            i % 16
       FROM generate_series(1, ${String(messages)}) AS i`,
  );
}

/** Waits for the last message, which may take long, but not for one that never comes. */
async function untilDone(databaseUrl: string, person: Person): Promise<void> {
  for (let left = await countLeft(databaseUrl); left > 0;) {
    const workAndCount = async () => {
      await person.work();
      await sleep(LOOK_MS);
      return countLeft(databaseUrl);
    };
    const before = left;
    left = await until('fewer messages to be left', workAndCount, { isFit: (count) => count < before });
  }
}

async function countAttempts(databaseUrl: string): Promise<number> {
  const [row] = await execute(
    databaseUrl,
    `SELECT coalesce(sum(attempts), 0)::int AS made FROM services.sms_logs`,
  );
  return Number(row?.['made']);
}

async function countLeft(databaseUrl: string): Promise<number> {
  const [row] = await execute(
    databaseUrl,
    `SELECT count(*)::int AS left FROM services.sms_logs WHERE phase <> 'DONE'`,
  );
  return Number(row?.['left']);
}

interface Killing {
  readonly senders: TrialProcess[];
  readonly start: () => TrialProcess;
  readonly running: TrialProcess[];
  readonly person: Person;
  readonly options: TrialOptions;
}

/**
 * Kills two senders every second, whatever they are at, their own start included. Each is replaced at once, and the
 * person works meanwhile.
 */
async function killForAWhile({ senders, start, running, person, options }: Killing): Promise<number> {
  const random = createRandom(options.seed);
  const over = new AbortController();
  const working = workUntil(person, over.signal);
  let kills = 0;
  let attempts = 0;
  const isAtWork = async () =>
    (await countAttempts(options.databaseUrl)) > attempts || (await countLeft(options.databaseUrl)) === 0;
  for (let second = 0; second < options.seconds; second += 1) {
    await sleep(1_000);
    // A busy machine takes longer than a second to start a sender, and a sender that is never at work is never killed
    // at work.
    await until('a sender at work', isAtWork);
    attempts = await countAttempts(options.databaseUrl);
    for (const index of pickTwo(random, senders.length)) {
      await senders[index]?.kill();
      const sender = start();
      senders[index] = sender;
      running.push(sender);
      kills += 1;
    }
  }
  over.abort();
  await working;
  return kills;
}

async function workUntil(person: Person, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await person.work();
    await sleep(LOOK_MS);
  }
}

function pickTwo(random: Random, count: number): readonly [number, number] {
  const first = random.integer(count);
  const second = random.integer(count - 1);
  return [first, second < first ? second : second + 1];
}
