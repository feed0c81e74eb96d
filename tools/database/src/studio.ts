// db:studio: Prisma Studio on the same database as the other commands, on this machine only.
import { readCommandLine, refuse } from '@repo/command/command-line';
import { print, runCommand } from './command.ts';
import { runPrisma } from './prisma-cli.ts';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';

const USAGE = `Usage: db:studio [--port <port>] [--browser <browser>]

Prisma Studio, which shows and edits the rows of the database in a browser on this machine, until Ctrl-C.

  --port <port>         where it listens on 127.0.0.1 (default: 5555)
  --browser <browser>   which browser to open; none for none (default: the system's)

Settings, from the environment or .env:
  DATABASE_URL   the database; without it the development database, whose server runs as long as it is used

Exit codes: 0 ended by Ctrl-C, 1 it could not start, 2 the command line cannot be used.`;

const { values } = readCommandLine(USAGE, {
  options: { port: { type: 'string', default: '5555' }, browser: { type: 'string' } },
});
const { port, browser } = values;
if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) {
  refuse('--port is a whole number from 1 to 65535.', USAGE);
}

await runCommand(async () => {
  const project = projectAt();
  await using target = await openTarget(project);
  print(
    'Balances and the ledger are guarded by the database: what you cannot edit here moves through @repo/db.',
  );
  print(`The schema core has the wallets: http://localhost:${port}/#schema=core&table=wallets&view=table`);
  const options = ['--port', port, ...(browser === undefined ? [] : ['--browser', browser])];
  const { exitCode } = await runPrisma(project, ['studio', ...options], { url: target.url, output: 'pass' });
  // Ctrl-C is how Studio is ended.
  return exitCode === 130 ? 0 : exitCode;
});
