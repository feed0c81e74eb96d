import { until } from '@repo/testing/until';
import { expect, test } from 'vitest';
import { balanceOf, openCustomer, posting, startTestService } from './testing.ts';
import type { TestService } from './testing.ts';

/** Cuts every connection of the service, as a database does that restarts. */
const CUT_ALL = `SELECT count(pg_terminate_backend(pid))::int AS cut FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = 'daftari' AND pid <> pg_backend_pid()`;

/** Cuts them again and again until the work is done; how many there were. */
async function cutWhile(service: TestService, work: Promise<unknown>): Promise<number> {
  const done = new AbortController();
  const finished = work.finally(() => done.abort());
  let cut = 0;
  while (!done.signal.aborted) {
    const [row] = await service.query(CUT_ALL);
    cut += Number(row?.['cut']);
  }
  await finished;
  return cut;
}

test('while connections are cut again and again no transfer is lost or done twice, and each retry settles one', async () => {
  await using service = await startTestService();
  const from = await openCustomer(service.db, '1000.00');
  const to = await openCustomer(service.db);
  const requests = Array.from({ length: 200 }, () => posting({ from, to, amount: '1.00' }));
  const sending = Promise.all(requests.map((request) => service.ask('/transfers', request)));
  expect(await cutWhile(service, sending)).toBeGreaterThan(0);
  for (const { status } of await sending) expect([200, 201, 503]).toContain(status);

  // A connection may still be told of the last cut when it is asked: then the answer is to come again.
  const settle = (request: (typeof requests)[number]) =>
    until('a transfer that is settled', () => service.ask('/transfers', request), {
      isFit: ({ status }) => status !== 503,
      show: ({ status }) => status,
    });
  const settled = await Promise.all(requests.map(settle));
  expect(settled.filter(({ status }) => status === 200 || status === 201)).toHaveLength(200);
  expect(await balanceOf(service, from)).toBe('800.00');
  expect(await balanceOf(service, to)).toBe('200.00');
});
