import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { createDatabase, execute } from '@repo/postgres/database';
import { startServer } from '@repo/postgres/server';
import { auditTexts } from './audit/texts.ts';
import { explainClaim } from './growth/claim-plan.ts';
import { migrate } from './data/databases.ts';
import { readGrowthOptions } from './growth/options.ts';
import type { GrowthOptions } from './growth/options.ts';
import { growthValues } from './growth/report.ts';
import type { Growth, PlannedClaim } from './growth/report.ts';
import { addYears, allowVacuum, queueStep, sendStep, stepsOf } from './growth/steps.ts';
import type { Range, Step, StepContext } from './growth/steps.ts';
import { runCommand } from './lib/errors.ts';
import { describeMachine } from './lib/machine.ts';
import type { Machine } from './lib/machine.ts';
import { fill } from './lib/markdown.ts';
import { showProgress } from './lib/progress.ts';
import { USUAL_SLOTS, readBook, startProvider, startSenders, stopAll } from './lib/sms-processes.ts';
import { WATCHING, lookAtCalls, lookAtTable, watchCalls } from './growth/table-state.ts';

const STEPS = 10;

await runCommand(() => grow(readGrowthOptions()));

async function grow(options: GrowthOptions): Promise<void> {
  const { growth, machine } = await measure(options);
  const values = growthValues(growth);
  process.stdout.write(`${[values.sending, values.sizes, values.plans].join('\n\n')}\n`);
  const command = ['pnpm bench:sms-growth', ...process.argv.slice(2)].join(' ');
  const template = await readFile(join(import.meta.dirname, 'growth', 'sms-growth.template.md'), 'utf8');
  await mkdir(options.output, { recursive: true });
  await writeFile(
    join(options.output, 'sms-growth.md'),
    fill(template, { ...values, command, machine: machine.facts }),
  );
}

async function measure(options: GrowthOptions): Promise<{ growth: Growth; machine: Machine }> {
  using progress = showProgress();
  const say = (what: string) => {
    progress.step(what);
  };
  say('starting PostgreSQL');
  await using server = await startServer({ settings: WATCHING });
  const machine = await describeMachine(server);
  const url = await createDatabase(server.url, 'growth');
  await migrate(url);
  await watchCalls(url);
  await addYears(url, options.oldRows, say);
  const [first] = stepsOf(options.messages, STEPS);
  const plans = first === undefined ? [] : await explainUnknown(url, first, say);
  await allowVacuum(url);
  const before = await lookAtTable(url);
  const steps = await send(url, options, say);
  const [loadAfter = Number.NaN] = loadavg();
  return { growth: { options, slots: USUAL_SLOTS, before, steps, plans, loadAfter }, machine };
}

/** Queues the first step; looks at the claim on a table that the server knows nothing of, and again when it knows it. */
async function explainUnknown(
  url: string,
  first: Range,
  say: (what: string) => void,
): Promise<PlannedClaim[]> {
  say('looking at the claim');
  await queueStep(url, first);
  const fresh = { when: 'never analysed', plan: await explainClaim(url) };
  say('analysing the table');
  await execute(url, 'ANALYZE services.sms_logs');
  return [fresh, { when: 'analysed', plan: await explainClaim(url) }];
}

async function send(url: string, { messages }: GrowthOptions, say: (what: string) => void): Promise<Step[]> {
  say('starting the sender');
  await using provider = await startProvider(0);
  const context: StepContext = { url, provider, say };
  const steps: Step[] = [];
  const senders = await startSenders(url, provider.url, { senders: 1, slots: USUAL_SLOTS });
  try {
    await lookAtCalls(url, []);
    for (const range of stepsOf(messages, STEPS)) {
      if (range.from > 0) await queueStep(url, range);
      steps.push(await sendStep(context, range));
    }
  } finally {
    await stopAll(senders);
  }
  say('comparing the books');
  await auditTexts(url, messages, await readBook(provider));
  return steps;
}
