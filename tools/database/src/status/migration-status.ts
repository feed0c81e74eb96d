import type { Attempt } from '../history.ts';
import type { Migration } from '../migrations.ts';

/** How one migration stands. */
export interface MigrationStatus {
  readonly name: string;
  readonly state: 'applied' | 'pending' | 'unfinished' | 'rolled back' | 'missing from disk';
  /** When the last attempt began, if there was one. */
  readonly at: Date | undefined;
  /** How long it took, if it has finished. */
  readonly milliseconds: number | undefined;
}

/** Every migration that is on disk or was ever tried, by name. */
export function statusOf(
  migrations: readonly Migration[],
  attempts: readonly Attempt[] | undefined,
): MigrationStatus[] {
  const onDisk = new Set(migrations.map(({ name }) => name));
  const names = new Set([...onDisk, ...(attempts ?? []).map(({ name }) => name)]);
  return [...names].toSorted().map((name) => {
    const last = attempts?.findLast((attempt) => attempt.name === name);
    const state = last === undefined ? 'pending' : stateOf(last, onDisk.has(name));
    const { startedAt, finishedAt } = last ?? {};
    const milliseconds = startedAt && finishedAt ? finishedAt.getTime() - startedAt.getTime() : undefined;
    return { name, state, at: startedAt, milliseconds };
  });
}

function stateOf({ state }: Attempt, isOnDisk: boolean): MigrationStatus['state'] {
  return state === 'applied' && !isOnDisk ? 'missing from disk' : state;
}
