// db:studio: Prisma Studio on the same database as the other commands, on this machine only.
import { print, runCommand } from './command.ts';
import { runPrisma } from './prisma-cli.ts';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';

await runCommand(async () => {
  const project = projectAt();
  await using target = await openTarget(project);
  print(
    'Balances and the ledger are guarded by the database: what you cannot edit here moves through @repo/db.',
  );
  // Studio listens on 127.0.0.1. It takes the options of `prisma studio`, such as --port and --browser none.
  const { exitCode } = await runPrisma(project, ['studio', ...process.argv.slice(2)], {
    url: target.url,
    output: 'pass',
  });
  // Ctrl-C is how Studio is ended.
  return exitCode === 130 ? 0 : exitCode;
});
