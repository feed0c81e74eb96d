import { createTestDatabase } from '@repo/postgres/testing';
import { createRandom } from '@repo/simulator';
import { expect, test } from 'vitest';
import { createMessage, MESSAGE_KINDS } from './messages.ts';
import { mutate, MUTATION_NAMES } from './mutations.ts';
import { faultsOf, runMutationTrial } from './mutation-trial.ts';
import type { MutationReport, MutationTrialOptions } from './mutation-trial.ts';

async function play(options: Partial<MutationTrialOptions> = {}): Promise<MutationReport> {
  await using database = await createTestDatabase();
  return await runMutationTrial({
    databaseUrl: database.url,
    callbacks: 1_400,
    seed: 'mutation-trial.test',
    atOnce: 8,
    say: () => undefined,
    ...options,
  });
}

test('whatever is done to a callback, it is answered and kept, and the money is right', async () => {
  const report = await play();
  expect(faultsOf(report)).toEqual([]);
  expect(Object.keys(report.answers)).toHaveLength(MUTATION_NAMES.length);
  // Otherwise nothing was understood, or all of it was.
  expect(report.outcomes).toMatchObject({
    CREDITED: expect.any(Number) as number,
    NOTED: expect.any(Number) as number,
    QUARANTINED: expect.any(Number) as number,
    VALIDATED: expect.any(Number) as number,
  });
});

test('the trial finds a callback that was not kept, and one that nobody sent', async () => {
  let isFirst = true;
  const report = await play({
    callbacks: 28,
    spoil(sent) {
      const spoilt = isFirst ? { ...sent, kept: 'x' } : sent;
      isFirst = false;
      return spoilt;
    },
  });
  expect(faultsOf(report)).toEqual([
    '1 callbacks are not in the inbox',
    '1 bodies in the inbox that nobody sent',
  ]);
});

test('the same seed spoils a message in the same way', () => {
  const known = { wallets: ['1000000001'], payments: ['x'] } as const;
  const spoilt = () =>
    MUTATION_NAMES.flatMap((name) => {
      const random = createRandom(`same ${name}`);
      const { text } = createMessage(random.pick(MESSAGE_KINDS), known, random);
      return mutate(name, text, random).body.toString('hex');
    });
  expect(spoilt()).toEqual(spoilt());
});
