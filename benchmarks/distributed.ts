import { loadavg } from 'node:os';
import { readCommandLine, readCount } from '@repo/command/command-line';
import { runCommand } from '@repo/command/run-command';
import { hasCitus } from '@repo/postgres/citus';
import { createCustomers, createPayments } from './data/payments.ts';
import { PLACES } from './distributed/places.ts';
import { measurePlace } from './distributed/measure.ts';
import type { Figures } from './distributed/measure.ts';
import { BenchmarkError } from './lib/errors.ts';
import { whole } from './lib/markdown.ts';
import { showProgress } from './lib/progress.ts';

const USAGE = `Usage: bench:distributed [--transfers] [--seconds N] [--callers N] [--rounds N]

Records deposits on one PostgreSQL, and on a Citus coordinator with one and with two workers, in turns, all on this machine:
shards are moved while the last one works. It needs Citus beside the system's PostgreSQL, or beside that of
TEST_POSTGRES_BINARIES, and prints its table.

  --transfers   transfers between wallets in place of deposits
  --seconds N   how long each is measured (default: 10)
  --callers N   how many call at once, each again as soon as it has its answer (default: 1,000)
  --rounds N    how often each is measured (default: 2)

Exit codes: 0 measured, 1 it failed or Citus is missing, 2 the command line cannot be used.`;

const WALLETS = 2_000;

const { values } = readCommandLine(USAGE, {
  options: {
    transfers: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '10' },
    callers: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '2' },
  },
});
const count = (text: string, option: string, most: number) =>
  readCount(text, { option, least: 1, most, usage: USAGE });
const what = values.transfers ? 'transfers' : 'deposits';
const seconds = count(values.seconds, '--seconds', 600);
const callers = count(values.callers, '--callers', 20_000);
const rounds = count(values.rounds, '--rounds', 20);

await runCommand(async () => {
  if (!hasCitus)
    throw new BenchmarkError('citus_missing', 'it must lie beside the PostgreSQL of this system.');
  using progress = showProgress();
  const customers = createCustomers(WALLETS);
  const payments = createPayments(customers, 0);
  const lines = [
    `| place | ${what}/s | p50, ms | p99, ms | server, µs each | failed |`,
    '| --- | ---: | ---: | ---: | ---: | ---: |',
  ];
  for (let round = 1; round <= rounds; round += 1) {
    for (const place of PLACES) {
      progress.step(`round ${String(round)}: ${place.name}`);
      lines.push(
        lineOf(place.name, await measurePlace(place, { customers, payments, what, callers, seconds })),
      );
    }
  }
  const [load = Number.NaN] = loadavg();
  process.stdout.write(
    `${lines.join('\n')}\n\n${whole(callers)} callers, ${whole(seconds)} s; load average at the end ${load.toFixed(1)}\n`,
  );
  return 0;
});

function lineOf(name: string, { perSecond, p50, p99, microseconds, failed }: Figures): string {
  return `| ${name} | ${whole(perSecond)} | ${whole(p50)} | ${whole(p99)} | ${whole(microseconds)} | ${whole(failed)} |`;
}
