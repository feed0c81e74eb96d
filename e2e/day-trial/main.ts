import { readCommandLine, readCount } from '@repo/command/command-line';
import { runCommand } from '@repo/command/run-command';
import type { StatementStyle } from '@repo/simulator';
import type { Round } from './round.ts';

const USAGE = `Usage: mpesa:day-trial [options]

Plays a day of payments at a simulated M-PESA against two processes of the service, one of which is killed every few
seconds: by the menu and by prompts, to a paybill and a till, with events that are dropped, doubled, late or overtaken.
Then what was lost is healed by the Pull API and by the statement, which is imported in each of its forms, the books are
closed, and every wallet and receipt is compared with M-PESA's own book. It does so twice, and both days must come to the
same end.

  --payments <n>     payments of a day (default: 50000)
  --drop <percent>   events of which so many in 100 never come (default: 2)
  --seed <text>      what happens (default: day-trial)
  --rounds <n>       how often the day is played (default: 2)
  --short            400 payments, two forms of the statement

Settings, from the environment or .env:
  DATABASE_URL   a server to make databases on, instead of the development server

Exit codes: 0 all of it is right, 1 something is wrong or failed, 2 the command line cannot be used.`;

const { values } = readCommandLine(USAGE, {
  options: {
    payments: { type: 'string' },
    drop: { type: 'string', default: '2' },
    seed: { type: 'string', default: 'day-trial' },
    rounds: { type: 'string', default: '2' },
    short: { type: 'boolean', default: false },
  },
});

const { openOwnDatabase } = await import('../database.ts');
const { readSettings } = await import('../env.ts');
const { clerkAtShell } = await import('./clerk.ts');
const { differencesOf, faultsOf, renderRounds } = await import('./report.ts');
const { playRound } = await import('./round.ts');
const payments = readCount(values.payments ?? (values.short ? '400' : '50000'), {
  option: '--payments',
  least: 100,
  most: 900_000,
  usage: USAGE,
});
const dropPercent = readCount(values.drop, { option: '--drop', least: 0, most: 50, usage: USAGE });
const rounds = readCount(values.rounds, { option: '--rounds', least: 1, most: 10, usage: USAGE });

const STYLES: readonly StatementStyle[] = (['csv', 'xlsx'] as const).flatMap((file) =>
  (['A', 'B', 'C'] as const).map((form) => ({ form, file })),
);
const SHORT_STYLES: readonly StatementStyle[] = [
  { form: 'A', file: 'csv' },
  { form: 'C', file: 'xlsx' },
];

const DAY_MS = 86_400_000;
const EAT_MS = 3 * 3_600_000;
// Yesterday in East Africa Time: a day of which all is known. Both days are the same one.
const from = new Date(Math.floor((Date.now() + EAT_MS) / DAY_MS) * DAY_MS - EAT_MS - DAY_MS);

const begun = performance.now();
const seconds = () => `${((performance.now() - begun) / 1_000).toFixed(0).padStart(5)} s`;
const say = (line: string) => process.stdout.write(`${seconds()}  ${line}\n`);

await runCommand(async () => {
  const days: Round[] = [];
  for (let day = 1; day <= rounds; day += 1) {
    say(`day ${String(day)} of ${String(rounds)}`);
    days.push(await playDay(day));
  }
  process.stdout.write(`\n${renderRounds(days)}\n\n`);
  const faults = [
    ...days.flatMap((round, place) => faultsOf(round).map((fault) => `day ${String(place + 1)}: ${fault}`)),
    ...differencesOf(days),
  ];
  for (const fault of faults) process.stdout.write(`WRONG: ${fault}\n`);
  if (faults.length === 0) process.stdout.write('All of it is right.\n');
  return faults.length === 0 ? 0 : 1;
});

async function playDay(day: number): Promise<Round> {
  const database = await openOwnDatabase(readSettings());
  try {
    const styles = values.short ? SHORT_STYLES : STYLES;
    return await playRound({
      databaseUrl: database.url,
      payments,
      customers: Math.min(2_000, Math.ceil(payments / 20)),
      seed: values.seed,
      dropPercent,
      from,
      pauseMs: values.short ? [500, 1_500] : [2_000, 6_000],
      // The order of the imports must make no difference.
      styles: day % 2 === 1 ? styles : styles.toReversed(),
      clerk: clerkAtShell(database.url),
      say: (what) => say(`  ${what}`),
    });
  } finally {
    await database.close();
  }
}
