// db:rollback: walks migrations back.
import { parseArgs } from 'node:util';
import { print, runCommand } from './command.ts';
import { showProgress } from './progress.ts';
import { projectAt } from './project.ts';
import { describeLoss } from './rollback/loss.ts';
import { rollBack } from './rollback/roll-back.ts';
import { openTarget } from './target.ts';

const usage = `Usage: db:rollback [--to <migration>] [--discard-data]

Walks back the last applied migration, or all that were applied after the one named with --to.
Refuses when rows would be lost; --discard-data walks back nevertheless.`;

await runCommand(async () => {
  const { values } = parseArgs({
    options: {
      to: { type: 'string' },
      'discard-data': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    print(usage);
    return 0;
  }
  const project = projectAt();
  await using target = await openTarget(project);
  using progress = showProgress();
  const { steps, losses } = await rollBack({
    url: target.url,
    migrations: project.migrations,
    to: values.to,
    discardData: values['discard-data'],
    lock: {
      waitMilliseconds: 120_000,
      onWait: () => progress.step('waiting for a deploy that is under way'),
    },
    progress,
  });
  progress.end();
  for (const { name, milliseconds } of steps) print(`${name}: walked back in ${milliseconds} ms`);
  if (steps.length === 0) print(`${values.to} is the last applied migration: nothing to walk back`);
  for (const loss of losses) print(`lost: ${describeLoss(loss)}`);
  return 0;
});
