// db:backfill: gives transactions that are older than the verification hash theirs.
import { readCommandLine } from '@repo/command/command-line';
import { print, runCommand } from './command.ts';
import { showProgress } from './terminal/progress.ts';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';

/** Rows a step: a tenth of a second of locks on old rows, and little lost when it is stopped. */
const STEP = 2_000;

const USAGE = `Usage: db:backfill

Gives transactions that are older than the verification hash theirs. It can be stopped and resumed.

Settings, from the environment or .env:
  DATABASE_URL   the database; without it the development database, whose server runs as long as it is used

Exit codes: 0 done, 1 it failed, 2 the command line cannot be used.`;

readCommandLine(USAGE);

const { backfillHashes, countUnhashed, createDb } = await import('@repo/db');

await runCommand(async () => {
  await using target = await openTarget(projectAt());
  using progress = showProgress();
  const db = createDb({ url: target.url, maxConnections: 1 });
  try {
    const total = await countUnhashed(db);
    let done = 0;
    for (;;) {
      progress.step(`${String(done)} of ${String(total)} transactions`);
      const { filled } = await backfillHashes(db, { limit: STEP });
      if (filled === 0) break;
      done += filled;
    }
    progress.end();
    if (done > 0) print(`${String(done)} transactions got theirs.`);
    const left = await countUnhashed(db);
    print(
      left === 0
        ? 'Every transaction has its verification hash.'
        : `${String(left)} transactions have no hash, because their time is no moment ('infinity').`,
    );
    return 0;
  } finally {
    await db.close();
  }
});
