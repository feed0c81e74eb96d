import { withConnection } from '../connection.ts';
import { compareDumps, describeDifference } from '../dump/compare-dumps.ts';
import type { DumpObject } from '../dump/dump-object.ts';
import { readDump } from '../dump/read-dump.ts';
import { messageOf } from '../errors.ts';
import type { Migration } from '../migrations.ts';
import { rollBack } from '../rollback/roll-back.ts';

/** The dump before the first migration and after each of them, of an empty database in which they are run one by one. */
export async function readStages(url: string, migrations: readonly Migration[]): Promise<DumpObject[][]> {
  const stages = [await withConnection(url, (client) => readDump(client))];
  for (const { sql } of migrations) {
    // Each in a session of its own, so that what one has set does not reach the next, as in a deploy.
    await withConnection(url, (client) => client.query(sql));
    stages.push(await withConnection(url, (client) => readDump(client)));
  }
  return stages;
}

/**
 * Walks a fully migrated database back step by step. After each step it must be what it was before that migration.
 *
 * @param stages as `readStages` gives them
 * @returns what is wrong, in sentences
 */
export async function checkWayBack(
  url: string,
  stages: readonly DumpObject[][],
  migrations: string,
): Promise<string[]> {
  const problems: string[] = [];
  try {
    for (const before of stages.slice(0, -1).toReversed()) {
      const { steps } = await rollBack({ url, migrations });
      const names = steps.map(({ name }) => name).join(', ');
      const found = await withConnection(url, (client) => readDump(client));
      const differences = compareDumps(before, found).map(describeDifference);
      problems.push(...differences.map((difference) => `after the way back of ${names}: ${difference}`));
    }
  } catch (error) {
    // What an earlier way back has left behind may well be why a later one fails.
    problems.push(messageOf(error));
  }
  return problems;
}
