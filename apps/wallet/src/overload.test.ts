import { lookupWallet, transaction } from '@repo/db';
import { until } from '@repo/testing/until';
import { expect, test } from 'vitest';
import { openCustomer, posting, startTestService } from './testing.ts';
import type { TestService } from './testing.ts';

const MOST_WAITING = 5;
const REQUESTS = 30;

/** Keeps all transfers waiting, as a slow database does, until the test lets them go. */
async function holdDatabase({ db }: TestService): Promise<() => Promise<void>> {
  const held = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const holding = transaction(
    db,
    async (tx) => {
      await tx.prisma.$executeRawUnsafe('LOCK TABLE core.requests IN EXCLUSIVE MODE');
      held.resolve();
      await released.promise;
    },
    { timeoutMs: 240_000 },
  );
  await Promise.race([held.promise, holding]);
  return async () => {
    released.resolve();
    await holding;
  };
}

test('when the queue is full callers are refused at once, and all is as before when it is not', async () => {
  await using service = await startTestService({}, undefined, { maxQueue: MOST_WAITING });
  const [from, to] = [await openCustomer(service.db, '100.00'), await openCustomer(service.db)];
  const release = await holdDatabase(service);
  const requests = Array.from({ length: REQUESTS }, () => posting({ from, to, amount: '1.00' }));
  let answered = 0;
  const asked = requests.map(async (request) => {
    const answer = await service.ask('/transfers', request);
    answered += 1;
    return answer;
  });
  // A few are on their way to the database, as many wait as may, and nothing comes of these until it is released.
  const depth = async () => {
    const metrics = await (await service.fetch('/metrics')).text();
    return Number(/^wallet_transfer_queue_depth\S* (\d+)/m.exec(metrics)?.[1]);
  };
  const state = async () => ({ depth: await depth(), answered });
  await until('everybody either waiting or answered', state, {
    isFit: (seen) => seen.depth + seen.answered === REQUESTS && seen.depth > 0,
  });
  const heldBack = await depth();
  const refused = answered;
  expect(refused).toBeGreaterThan(0);

  await release();
  const answers = await Promise.all(asked);
  const full = answers.filter(({ status }) => status === 503);
  expect(full).toHaveLength(refused);
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(heldBack);
  for (const { headers, body } of full) {
    expect(headers.get('retry-after')).toBe('1');
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(body).toMatchObject({ code: 'overloaded', type: '/problems/overloaded' });
  }
  const metrics = await (await service.fetch('/metrics')).text();
  const count = `http_overload_refusals_total{code="queue_full",service="wallet"} ${String(refused)}\n`;
  expect(metrics).toContain(count);
  expect((await lookupWallet(service.db, to))?.balance).toBe(`${String(heldBack)}.00`);

  // Sent again one after the other, with the same keys, each is done once.
  for (const request of requests)
    expect([200, 201]).toContain((await service.ask('/transfers', request)).status);
  expect((await lookupWallet(service.db, to))?.balance).toBe(`${String(REQUESTS)}.00`);
});
