import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Attempt } from '../history.ts';
import { checksumOf } from '../migrations.ts';
import type { Migration } from '../migrations.ts';
import { planRollback } from './plan.ts';

const MIGRATIONS: Migration[] = ['one', 'two', 'three', 'four'].map((name) => ({
  name,
  sql: `SELECT '${name}';`,
  downSql: `-- down of ${name}`,
  notes: undefined,
}));

function attemptOf(name: string, changes: Partial<Attempt> = {}): Attempt {
  const now = new Date();
  const checksum = checksumOf(`SELECT '${name}';`);
  return {
    id: name,
    name,
    checksum,
    state: 'applied',
    startedAt: now,
    finishedAt: now,
    logs: null,
    ...changes,
  };
}

const all = MIGRATIONS.map(({ name }) => attemptOf(name));

function codeFrom(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
}

describe('planning a rollback', () => {
  it('takes the last applied migration', () => {
    expect(planRollback(MIGRATIONS, all, undefined).map(({ name }) => name)).toEqual(['four']);
  });

  it('takes all that were applied after the named one, last first, in whatever order that was', () => {
    const order = fc.shuffledSubarray(all, { minLength: 1 });
    fc.assert(
      fc.property(order, fc.nat(), (attempts, pick) => {
        const index = pick % attempts.length;
        const steps = planRollback(MIGRATIONS, attempts, attempts[index]?.name);
        expect(steps.map(({ attempt }) => attempt)).toEqual(attempts.slice(index + 1).toReversed());
      }),
    );
  });

  it('passes over attempts that were rolled back', () => {
    const attempts = [...all, attemptOf('four', { id: 'earlier', state: 'rolled back' })];
    expect(planRollback(MIGRATIONS, attempts, undefined).map(({ attempt }) => attempt.id)).toEqual(['four']);
  });

  it('refuses a name that is not applied, and lists those that are', () => {
    const plan = (): unknown => planRollback(MIGRATIONS, all.slice(0, 2), 'three');
    expect(codeFrom(plan)).toBe('MIGRATION_NOT_APPLIED');
    expect(plan).toThrow('three. Name one of those that are:\n  one\n  two');
  });

  it.each([
    { what: 'nothing is applied', attempts: [], code: 'NOTHING_APPLIED' },
    { what: 'nothing was ever deployed', attempts: undefined, code: 'NOTHING_APPLIED' },
    {
      what: 'a migration has failed',
      attempts: [...all, attemptOf('five', { state: 'unfinished' })],
      code: 'MIGRATION_UNFINISHED',
    },
    {
      what: 'the migration was edited',
      attempts: [attemptOf('one', { checksum: checksumOf('SELECT 2;') })],
      code: 'MIGRATION_EDITED',
    },
    { what: 'its folder is missing', attempts: [attemptOf('five')], code: 'MIGRATION_MISSING' },
  ])('refuses when $what', ({ attempts, code }) => {
    expect(codeFrom(() => planRollback(MIGRATIONS, attempts, undefined))).toBe(code);
  });

  it('refuses when any of the migrations has no way back', () => {
    const oneWay = MIGRATIONS.map((migration) =>
      migration.name === 'three' ? { ...migration, downSql: undefined } : migration,
    );
    expect(codeFrom(() => planRollback(oneWay, all, 'one'))).toBe('DOWN_ABSENT');
    expect(codeFrom(() => planRollback(oneWay, all, 'three'))).toBeUndefined();
  });
});
