import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { readCommandLine, readCount } from '@repo/command/command-line';
import { runCommand } from '@repo/command/run-command';
import { createDatabase, execute } from '@repo/postgres/database';
import { migrateDatabase } from '@repo/postgres/migrations';
import { startServer } from '@repo/postgres/server';
import { auditTexts } from './audit/texts.ts';
import { addOldTexts } from './data/texts.ts';
import { explainClaim } from './sms-growth/claim-plan.ts';
import { growthValues } from './sms-growth/report.ts';
import type { Growth, PlannedClaim } from './sms-growth/report.ts';
import { queueStep, sendStep, stepsOf } from './sms-growth/steps.ts';
import type { Step } from './sms-growth/steps.ts';
import { WATCHING, readTable, resetCalls, watchCalls } from './sms-growth/table-state.ts';
import { describeMachine } from './lib/machine.ts';
import { ROOT } from './lib/program.ts';
import { showProgress } from './lib/progress.ts';
import { RESULTS, typedCommand, writeResults } from './lib/results.ts';
import { USUAL_SLOTS, readBook, startProvider, startSenders } from './lib/sms-processes.ts';

const USAGE = `Usage: bench:sms-growth [--messages N] [--old-rows N] [--output FOLDER]

  --messages N     how many messages are sent, in ten steps (default: 1,000,000)
  --old-rows N     how many sent messages are in the table before (default: 5,000,000)
  --output FOLDER  where sms-growth.md goes (default: benchmarks/results)

It needs about 1.5 KB of disk for each of these rows, in the folder for temporary files.

Exit codes: 0 measured, 1 it failed, 2 the command line cannot be used.`;

const STEPS = 10;

/** Old rows that one statement adds. */
const CHUNK = 250_000;

const { values } = readCommandLine(USAGE, {
  options: {
    messages: { type: 'string', default: '1000000' },
    'old-rows': { type: 'string', default: '5000000' },
    output: { type: 'string', default: RESULTS },
  },
});
const count = (name: 'messages' | 'old-rows', least: number) =>
  readCount(values[name], { option: `--${name}`, least, most: 100_000_000, usage: USAGE });
const messages = count('messages', STEPS);
const oldRows = count('old-rows', 0);
const steps = stepsOf(messages, STEPS);

await runCommand(async () => {
  using progress = showProgress();
  progress.step('starting PostgreSQL');
  await using server = await startServer({ settings: WATCHING });
  const machine = await describeMachine(server);
  const url = await createDatabase(server.url, 'growth');
  await migrateDatabase(ROOT, url);
  const report = growthValues(await measure(url, (what) => progress.step(what)));
  process.stdout.write(`${[report.sending, report.sizes, report.plans].join('\n\n')}\n`);
  const template = join(import.meta.dirname, 'sms-growth', 'sms-growth.template.md');
  const command = typedCommand('bench:sms-growth');
  await writeResults(template, resolve(values.output), { ...report, command, machine });
  return 0;
});

async function measure(url: string, say: (what: string) => void): Promise<Growth> {
  await watchCalls(url);
  // The old messages come out of autovacuum's sight: nothing of them is analysed.
  await execute(url, 'ALTER TABLE services.sms_logs SET (autovacuum_enabled = false)');
  for (let added = 0; added < oldRows; added += CHUNK) {
    say(`${String(added)} of ${String(oldRows)} old messages are in the table`);
    // Their numbers begin where no new message's will come.
    await addOldTexts(url, { first: 1_000_000_000 + added, count: Math.min(CHUNK, oldRows - added) });
  }
  const plans = await explainUnknown(url, say);
  await execute(url, 'ALTER TABLE services.sms_logs RESET (autovacuum_enabled)');
  const before = await readTable(url);
  const sent = await send(url, say);
  const [loadAfter = Number.NaN] = loadavg();
  return { messages, oldRows, slots: USUAL_SLOTS, before, steps: sent, plans, loadAfter };
}

/** Queues the first step; looks at the claim on a table that the server knows nothing of, and again when it knows it. */
async function explainUnknown(url: string, say: (what: string) => void): Promise<PlannedClaim[]> {
  say('looking at the claim');
  const [first] = steps;
  if (first !== undefined) await queueStep(url, first);
  const fresh = { when: 'never analysed', plan: await explainClaim(url) };
  say('analysing the table');
  await execute(url, 'ANALYZE services.sms_logs');
  return [fresh, { when: 'analysed', plan: await explainClaim(url) }];
}

async function send(url: string, say: (what: string) => void): Promise<Step[]> {
  say('starting the sender');
  await using provider = await startProvider(0);
  const sent: Step[] = [];
  {
    await using _senders = await startSenders(url, provider.url, { senders: 1, slots: USUAL_SLOTS });
    await resetCalls(url);
    for (const range of steps) {
      if (range.from > 0) await queueStep(url, range);
      sent.push(await sendStep({ url, provider, say }, range));
    }
  }
  say('comparing the books');
  await auditTexts(url, messages, await readBook(provider));
  return sent;
}
