// db:rollback: walks migrations back.
import { readCommandLine } from '@repo/command/command-line';
import { print, runCommand, sayWaiting, waitOption } from './command.ts';
import { showProgress } from './terminal/progress.ts';
import { projectAt } from './project.ts';
import { describeLoss } from './rollback/loss.ts';
import { rollBack } from './rollback/roll-back.ts';
import { openTarget } from './target.ts';

const USAGE = `Usage: db:rollback [--to <migration>] [--discard-data] [--wait <seconds>]

Walks back the last applied migration, or all that were applied after the one named with --to, all or nothing. Rehearses
it first, and refuses when rows would be lost.

  --to <migration>   the migration to walk back to, which stays (default: the one before the last)
  --discard-data     walk back although rows are lost
  --wait <seconds>   how long to wait for a deploy that is under way, for whom it says (default: 120)

Settings, from the environment or .env:
  DATABASE_URL   the database; without it the development database, whose server runs as long as it is used

Exit codes: 0 done, 1 refused or failed; nothing was changed, 2 the command line cannot be used.`;

const { values } = readCommandLine(USAGE, {
  options: {
    to: { type: 'string' },
    'discard-data': { type: 'boolean', default: false },
    wait: { type: 'string', default: '120' },
  },
});

const waitMilliseconds = waitOption(values.wait, USAGE);

await runCommand(async () => {
  const project = projectAt();
  await using target = await openTarget(project);
  using progress = showProgress();
  const { steps, losses } = await rollBack({
    url: target.url,
    migrations: project.migrations,
    to: values.to,
    discardData: values['discard-data'],
    lock: {
      waitMilliseconds,
      onWait: (holder) => {
        progress.end();
        sayWaiting(holder);
      },
    },
    progress,
  });
  progress.end();
  for (const { name, milliseconds } of steps) print(`${name}: walked back in ${milliseconds} ms`);
  if (steps.length === 0) print(`${values.to} is the last applied migration: nothing to walk back`);
  for (const loss of losses) print(`lost: ${describeLoss(loss)}`);
  return 0;
});
