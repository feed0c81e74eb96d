import { historySchema, placeOf, withConnection } from '../connection.ts';
import { readHistory } from '../history.ts';
import { readMigrations } from '../migrations.ts';
import { NO_PROGRESS } from '../terminal/progress.ts';
import type { Progress } from '../terminal/progress.ts';
import { renderTable } from '../terminal/text-table.ts';
import { countTables, countWaiting, sumBalances } from './counts.ts';
import type { BalanceSum, Count } from './counts.ts';
import { describeServer, readServerState } from './server-state.ts';
import type { ServerState } from './server-state.ts';
import { statusOf } from './migration-status.ts';
import type { MigrationStatus } from './migration-status.ts';

export interface Status {
  readonly place: string;
  readonly server: ServerState;
  readonly migrations: MigrationStatus[];
  readonly tables: Count[];
  readonly waiting: Count[];
  readonly balances: BalanceSum[];
}

export interface StatusOptions {
  readonly url: string;
  readonly migrations: string;
  readonly progress?: Progress;
}

/** Where a database stands: its migrations, its rows, and whether its balances add up. */
export async function readStatus({ url, migrations, progress }: StatusOptions): Promise<Status> {
  const onDisk = await readMigrations(migrations);
  return withConnection(url, async (client) => {
    const attempts = await readHistory({ client, schema: historySchema(url) });
    // One snapshot, so that the sums belong to the counts while money moves.
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return {
      place: placeOf(client),
      server: await readServerState(client),
      migrations: statusOf(onDisk, attempts),
      tables: await countTables(client, progress ?? NO_PROGRESS),
      waiting: await countWaiting(client),
      balances: await sumBalances(client),
    };
  });
}

/** The status as lines. */
export function renderStatus(status: Status): string[] {
  const migrations = status.migrations.map(({ name, state, at, milliseconds }) => [
    name,
    state,
    at === undefined ? '' : `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`,
    milliseconds === undefined ? '' : `${milliseconds} ms`,
  ]);
  return [
    status.place,
    describeServer(status.server),
    '',
    ...renderTable(['migration', 'state', 'begun', 'took'], migrations, ['took']),
    ...countLines('rows', status.tables),
    ...countLines('waiting', status.waiting),
    '',
    ...status.balances.map(balanceLine),
  ];
}

function countLines(title: string, counts: readonly Count[]): string[] {
  if (counts.length === 0) return [];
  const rows = counts.map(({ of, count }) => [of, count]);
  return ['', ...renderTable([title, ''], rows, [''])];
}

function balanceLine({ currency, sum, isZero }: BalanceSum): string {
  if (isZero) return `The balances in ${currency} add up to zero.`;
  return `WRONG: the balances in ${currency} add up to ${sum}, not to zero. Money was made or lost around the door.`;
}
