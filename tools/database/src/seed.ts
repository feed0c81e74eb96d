// db:seed: a handful of sample wallets.
import { readCommandLine } from '@repo/command/command-line';
import { print, runCommand } from './command.ts';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';
import { renderTable } from './terminal/text-table.ts';

const USAGE = `Usage: db:seed

Opens a handful of sample wallets, where they are not there already, and prints them.

Settings, from the environment or .env:
  DATABASE_URL   the database; without it the development database, whose server runs as long as it is used

Exit codes: 0 done, 1 it failed, 2 the command line cannot be used.`;

readCommandLine(USAGE);

const { createDb } = await import('@repo/db');
const { openSampleWallets, SAMPLE_WALLETS } = await import('./seed/sample-wallets.ts');

await runCommand(async () => {
  await using target = await openTarget(projectAt());
  const db = createDb({ url: target.url, maxConnections: 1 });
  try {
    const { wallets, opened } = await openSampleWallets(db);
    // Names and phones are the samples' own: a wallet that was there before may be somebody's.
    const rows = wallets.map(({ number, currency, balance, status }, index) => {
      const { holderName = '', phone = '' } = SAMPLE_WALLETS[index] ?? {};
      return [number, holderName, phone, status, currency, balance];
    });
    const header = ['number', 'holder', 'phone', 'status', '', 'balance'];
    for (const line of renderTable(header, rows, ['balance'])) print(line);
    print(`\n${opened} opened, ${wallets.length - opened} were there already`);
    return 0;
  } finally {
    await db.close();
  }
});
