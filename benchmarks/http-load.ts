import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCommandLine, readCount } from '@repo/command/command-line';
import { runCommand } from '@repo/command/run-command';
import { auditDeposits } from './audit/deposits.ts';
import { auditTransfers } from './audit/transfers.ts';
import { openDatabases } from './data/databases.ts';
import type { DatabaseKind } from './data/databases.ts';
import { createCustomers } from './data/payments.ts';
import { BenchmarkError } from './lib/errors.ts';
import { describeMachine } from './lib/machine.ts';
import { whole } from './lib/markdown.ts';
import { startProgram } from './lib/program.ts';
import type { Program } from './lib/program.ts';
import { showProgress } from './lib/progress.ts';
import { RESULTS, typedCommand, writeResults } from './lib/results.ts';
import type { Orders } from './http-load/generator.ts';
import { httpLoadValues } from './http-load/report.ts';
import { send } from './http-load/senders.ts';
import type { Phase } from './http-load/senders.ts';

const USAGE = `Usage: bench:http [--seconds N] [--queue-limit N] [--output FOLDER]

  --seconds N      how long each number of senders is measured (default: 10)
  --queue-limit N  QUEUE_LIMIT of the services beyond capacity, 1 to 1,500: there are twice and ten times as many
                   senders (default: 1,000)
  --output FOLDER  where http-load.md goes (default: benchmarks/results; a run of less than 5 seconds is printed only)

It needs about 18,000 open files in each process.

Exit codes: 0 measured, 1 it failed, 2 the command line cannot be used.`;

const WALLETS = 10_000;
const TOKEN = 'benchmark-callback-token';
const KEY = 'benchmark-key';

/** A run that is shorter shows that the benchmark works, and no more. */
const LEAST_SECONDS = 5;

/** After the burst, before the last senders; milliseconds. */
const REST = 3_000;

const { values } = readCommandLine(USAGE, {
  options: {
    seconds: { type: 'string', default: '10' },
    'queue-limit': { type: 'string', default: '1000' },
    output: { type: 'string' },
  },
});
const count = (text: string, option: string, most: number) =>
  readCount(text, { option, least: 1, most, usage: USAGE });
const seconds = count(values.seconds, '--seconds', 3_600);
const limit = count(values['queue-limit'], '--queue-limit', 1_500);

const COMMON = { API_KEY: KEY, LOG_LEVEL: 'info' };

interface Load {
  readonly kind: DatabaseKind;
  readonly folder: string;
  readonly settings: (port: string) => Readonly<Record<string, string>>;
  readonly request: Pick<Orders, 'headers' | 'path' | 'what'>;
}

/** M-PESA, which sends confirmations. Its callers are on this machine, which is no address of M-PESA. */
const MPESA: Load = {
  kind: 'ledger',
  folder: 'apps/mpesa',
  settings: (port) => ({ MPESA_PORT: port, MPESA_CALLBACK_TOKEN: TOKEN, MPESA_SOURCE_CHECK: 'off' }),
  request: { what: 'confirmations', path: `/c2b/${TOKEN}/confirmation`, headers: {} },
};

const WALLET: Load = {
  kind: 'funded',
  folder: 'apps/wallet',
  settings: (port) => ({ WALLET_PORT: port }),
  request: { what: 'transfers', path: '/transfers', headers: { authorization: `Bearer ${KEY}` } },
};

/** The numbers of senders, each with its name; all are measured one after the other in one process of the service. */
interface Course {
  readonly settings: Readonly<Record<string, string>>;
  readonly senders: readonly (readonly [name: string, connections: number])[];
}

const USUAL: Course = {
  settings: {},
  senders: [
    ['usual settings', 256],
    ['usual settings', 2_000],
    // V8 has compiled what is hot by then: in its first seconds a process spends a third more on each request.
    ['usual settings, later', 256],
  ],
};
const BEYOND: Course = {
  settings: { QUEUE_LIMIT: String(limit) },
  senders: [
    ['before', 256],
    ['twice what it holds', 2 * limit],
    ['ten times what it holds', 10 * limit],
    ['after', 256],
  ],
};

await runCommand(async () => {
  using progress = showProgress();
  progress.step('starting PostgreSQL and preparing the databases');
  const customers = createCustomers(WALLETS);
  await using databases = await openDatabases(customers, 0);
  const machine = await describeMachine(databases.server);

  const measure = (load: Load, course: Course): Promise<Phase[]> =>
    databases.withFresh(load.kind, async (url) => {
      const program: Program = {
        folder: load.folder,
        script: 'src/main.ts',
        settings: (port) => ({ DATABASE_URL: url, ...COMMON, ...course.settings, ...load.settings(port) }),
        readyPath: '/health/ready',
      };
      await using service = await startProgram(program);
      const phases: Phase[] = [];
      for (const [name, connections] of course.senders) {
        progress.step(`${load.folder}, ${whole(connections)} senders`);
        if (name === 'after') await sleep(REST);
        phases.push(
          await send(name, service.pid, {
            ...load.request,
            port: Number(new URL(service.url).port),
            customers,
            from: phases.at(-1)?.next ?? 0,
            connections,
            warmUp: 2_000,
            warmUpAtMost: 60_000,
            window: seconds * 1_000,
          }),
        );
      }
      await compare(load, url, phases);
      return phases;
    });

  const mpesa = [...(await measure(MPESA, USUAL)), ...(await measure(MPESA, BEYOND))];
  const wallet = await measure(WALLET, BEYOND);
  const printed = httpLoadValues({ mpesa, wallet });
  process.stdout.write(`${printed.mpesa}\n\n${printed.wallet}\n`);
  const output = values.output ?? (seconds >= LEAST_SECONDS ? RESULTS : undefined);
  if (output === undefined) return 0;
  await writeResults(join(import.meta.dirname, 'http-load', 'http-load.template.md'), resolve(output), {
    ...printed,
    command: typedCommand('bench:http'),
    date: new Date().toISOString().slice(0, 10),
    seconds: whole(seconds),
    limit: whole(limit),
    twice: whole(2 * limit),
    tenfold: whole(10 * limit),
    machine,
  });
  return 0;
});

/** The books against what was acknowledged. A request whose connection broke may have been done or not. */
async function compare({ request, kind }: Load, url: string, phases: readonly Phase[]): Promise<void> {
  const total = (pick: (status: string) => boolean) =>
    phases
      .flatMap(({ counts }) => Object.entries(counts))
      .reduce((sum, [status, times]) => (pick(status) ? sum + times : sum), 0);
  const acknowledged = total((status) => status.startsWith('2'));
  const failed = total((status) => !/^\d/.test(status));
  if (request.what === 'transfers') return auditTransfers(url, kind, { acknowledged, failed });
  // No callback may be turned away.
  const refused = total((status) => /^[345]/.test(status));
  if (refused > 0) {
    const seen = phases.map(({ name, counts }) => `${name}: ${JSON.stringify(counts)}`).join('; ');
    throw new BenchmarkError('not_credited', `${whole(refused)} were refused (${seen}).`);
  }
  await auditDeposits(url, kind, { acknowledged, failed });
}
