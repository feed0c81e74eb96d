import { createTestDatabase } from '@repo/postgres/testing';
import { expect, test } from 'vitest';
import { clerkInProcess } from './clerk.ts';
import type { Clerk } from './clerk.ts';
import { differencesOf, faultsOf } from './report.ts';
import { playRound } from './round.ts';
import type { Round, RoundOptions } from './round.ts';

async function play(
  options: Partial<RoundOptions> = {},
  spoil: (clerk: Clerk) => Clerk = (clerk) => clerk,
): Promise<Round> {
  await using database = await createTestDatabase();
  await using clerk = clerkInProcess(database.url);
  return await playRound({
    databaseUrl: database.url,
    payments: 250,
    customers: 20,
    seed: 'day-trial.test',
    dropPercent: 10,
    from: new Date('2026-11-26T21:00:00.000Z'),
    pauseMs: [1_000, 2_500],
    styles: [
      { form: 'A', file: 'csv' },
      { form: 'C', file: 'xlsx' },
    ],
    say: () => undefined,
    ...options,
    clerk: spoil(clerk),
  });
}

test('a day with every nuisance ends as the book of M-PESA says, and its books are closed', async () => {
  const round = await play();
  expect(faultsOf(round)).toEqual([]);
  // Otherwise the day was a quiet one, and has shown nothing.
  const { sent, healed, statements, check } = round;
  expect([sent.dropped, sent.doubled, sent.held, sent.notPaid, sent.reversals, sent.sweeps]).not.toContain(0);
  expect([healed.byPull, healed.byStatement, healed.tooLate, statements.repeated]).not.toContain(0);
  expect(check.inbox).toMatchObject({ DUPLICATE: expect.any(Number) as number });
  // The same day, imported in another order, comes to the same end.
  const again = await play({
    styles: [
      { form: 'C', file: 'xlsx' },
      { form: 'A', file: 'csv' },
    ],
  });
  expect(faultsOf(again)).toEqual([]);
  expect(differencesOf([round, again])).toEqual([]);
});

test('the trial finds that nothing was healed', async () => {
  // What is killed is beside the point here.
  const round = await play({ payments: 100, pauseMs: [600_000, 600_000] }, (clerk) => ({
    ...clerk,
    reconcile: (books) => clerk.reconcile(books, { heal: false }),
  }));
  expect(round.check.missing).toBeGreaterThan(0);
  expect(round.check.wrongAccounts).not.toEqual([]);
  expect(round.notClosed).toHaveLength(2);
});
