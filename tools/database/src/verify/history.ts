import { appliedOf } from '../history.ts';
import type { Attempt } from '../history.ts';
import { hasChecksum } from '../migrations.ts';
import type { Migration } from '../migrations.ts';
import type { Check, Finding } from './finding.ts';

/**
 * Compares the migrations on disk with what Prisma's history says was applied. Prisma itself deploys without a word
 * when an applied migration was edited, is missing from disk, or is younger than one with a later name.
 */
export function checkHistory(
  migrations: readonly Migration[],
  attempts: readonly Attempt[] | undefined,
): Check {
  const applied = appliedOf(attempts);
  const unfinished = (attempts ?? []).filter(({ state }) => state === 'unfinished');
  const findings = [
    ...unfinished.map(unfinishedFinding),
    ...applied.flatMap((attempt) => appliedFindings(attempt, migrations)),
    ...orderFindings(applied),
    ...pendingFindings(migrations, [...applied, ...unfinished]),
  ];
  const pending = pendingOf(migrations, applied).length;
  return { name: 'migrations', summary: `${applied.length} applied, ${pending || 'none'} pending`, findings };
}

/** The migrations on disk that are not applied. */
export function pendingOf(migrations: readonly Migration[], applied: readonly Attempt[]): Migration[] {
  const names = new Set(applied.map(({ name }) => name));
  return migrations.filter(({ name }) => !names.has(name));
}

function unfinishedFinding({ name, startedAt, logs }: Attempt): Finding {
  const outcome = logs ? 'failed' : 'has not finished';
  return {
    severity: 'wrong',
    what: `migration ${name}, begun at ${startedAt.toISOString()}, ${outcome}`,
    remedy:
      `If no deploy is under way: "prisma migrate resolve --rolled-back ${name}", correct its cause ` +
      '("prisma migrate status" shows it), then db:deploy.',
  };
}

function appliedFindings({ name, checksum }: Attempt, migrations: readonly Migration[]): Finding[] {
  const migration = migrations.find((candidate) => candidate.name === name);
  if (migration === undefined) {
    return [
      {
        severity: 'wrong',
        what: `migration ${name} is applied, and missing from disk`,
        remedy: 'Check out the release that has it, or bring its folder back from version control.',
      },
    ];
  }
  if (hasChecksum(migration.sql, checksum)) return [];
  return [
    {
      severity: 'wrong',
      what: `migration ${name} was edited after it had been applied`,
      remedy: 'Restore its migration.sql from version control, and write a new migration for the change.',
    },
  ];
}

function orderFindings(applied: readonly Attempt[]): Finding[] {
  return applied.flatMap(({ name }, index): Finding[] => {
    const newer = applied.slice(0, index).find((earlier) => earlier.name > name);
    if (newer === undefined) return [];
    return [
      {
        severity: 'wrong',
        what: `migration ${name} was applied out of order, after ${newer.name}`,
        remedy:
          'A fresh database gets them the other way round. Compare with db:verify there; if both are alike, nothing ' +
          'is lost. Next time give the folder a new time before it is merged.',
      },
    ];
  });
}

function pendingFindings(migrations: readonly Migration[], tried: readonly Attempt[]): Finding[] {
  const newest = tried
    .map(({ name }) => name)
    .toSorted()
    .at(-1);
  return pendingOf(migrations, tried).map(({ name }) =>
    newest !== undefined && name < newest
      ? {
          severity: 'wrong',
          what: `migration ${name} is pending out of order: ${newest} is applied already`,
          remedy:
            'Give its folder a name with a new time, so that every database applies it last; then db:deploy.',
        }
      : { severity: 'wrong', what: `migration ${name} is pending`, remedy: 'Apply it with db:deploy.' },
  );
}
