// db:distribute: spreads a database over the nodes of Citus.
import { readCommandLine } from '@repo/command/command-line';
import { print, runCommand } from './command.ts';
import { deployOverNodes, isDistributed } from './distribute/deploy-over-nodes.ts';
import { distributeDatabase } from './distribute/distribute-database.ts';
import { parseNodes } from './distribute/nodes.ts';
import { readEnvironment } from './env.ts';
import { MigrateError } from './errors.ts';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';
import { showProgress } from './terminal/progress.ts';

const USAGE = `Usage: db:distribute

Gives the database of a Citus coordinator its distributed form: wallets and what belongs to them lie on the workers, by their
lanes, and each lane is recorded where it lies. All or nothing: there is no way back. Run again, it brings the form up to date with
this release. docs/scaling.md says from where on it pays, and what the form does not have.

Settings, from the environment or .env:
  DATABASE_URL    the coordinator's database, migrated, with the extension citus
  CITUS_WORKERS   workers to add first: host:port, with commas between them; each has the same database, empty, with the
                  extension

Exit codes: 0 done, 1 refused or failed; nothing was changed, 2 the command line cannot be used.`;

readCommandLine(USAGE);

await runCommand(async () => {
  const project = projectAt();
  const { citusWorkers } = readEnvironment(project.root);
  const workers = citusWorkers === undefined ? [] : parseNodes(citusWorkers);
  if (workers === null)
    throw new MigrateError('OPTION_INVALID', 'CITUS_WORKERS is host:port, with commas between them.');
  await using target = await openTarget(project);
  using progress = showProgress();
  const { url } = target;
  if (await isDistributed(url)) {
    progress.step('bringing the form up to date');
    await deployOverNodes({ url, project, lock: { waitMilliseconds: 120_000 }, isFormAlone: true });
    progress.end();
    print('It is distributed already. Its form is that of this release.');
    return 0;
  }
  const onStep = (what: string) => progress.step(what);
  const distribution = await distributeDatabase({ url, sources: project.distributed, workers, onStep });
  progress.end();
  print(`${String(distribution.tables)} tables lie on ${String(distribution.workers)} workers by their lane`);
  for (const { node, count } of distribution.lanes) print(`${node}: ${String(count)} of 16 lanes`);
  return 0;
});
