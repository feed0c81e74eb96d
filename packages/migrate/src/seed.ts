// db:seed: a handful of sample wallets.
import { parseArgs } from 'node:util';
import { createDb } from '@repo/db';
import { print, runCommand } from './command.ts';
import { projectAt } from './project.ts';
import { openSampleWallets, sampleWallets } from './sample-wallets.ts';
import { openTarget } from './target.ts';
import { renderTable } from './text-table.ts';

await runCommand(async () => {
  parseArgs({ options: {} });
  await using target = await openTarget(projectAt());
  const db = createDb({ url: target.url, maxConnections: 1 });
  try {
    const { wallets, opened } = await openSampleWallets(db);
    // Names and phones are the samples' own: a wallet that was there before may be somebody's.
    const rows = wallets.map(({ number, currency, balance, status }, index) => {
      const { holderName = '', phone = '' } = sampleWallets[index] ?? {};
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
