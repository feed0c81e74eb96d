import { createDb, findSms, queueSms } from '@repo/db';
import type { Sms } from '@repo/db';
import { behaviourByNumber } from '@repo/simulator';
import { until } from '@repo/testing/until';
import { expect, test } from 'vitest';
import { isDone, newNumber, startTestService, untilAccepted, untilLogged, untilSms } from '../testing.ts';
import type { TestService } from '../testing.ts';

async function queueMany({ db }: TestService, count: number, ending?: string): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const { id } = await queueSms(db, { recipient: newNumber(ending), message: 'KES 100.00 received.' });
    ids.push(id);
  }
  return ids;
}

/** The messages, asked past the network that the service uses. */
async function countPhases(service: TestService): Promise<Record<string, number>> {
  const rows = await service.query(
    'SELECT phase, count(*)::int AS count FROM services.sms_logs GROUP BY phase',
  );
  return Object.fromEntries(rows.map(({ phase, count }) => [String(phase), Number(count)]));
}

test('answers that come while the database is away are recorded when it is back, and nothing is sent twice', async () => {
  await using service = await startTestService();
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  service.simulator.configure({ gate });
  const ids = await queueMany(service, 30);
  service.send({ concurrency: 8 });
  await untilAccepted(service, 8);
  service.network.cut();
  open();
  // Answers have come, and nobody could be told.
  await untilLogged(service, 'answers cannot be recorded');
  expect(await countPhases(service)).toEqual({ SENDING: 8, QUEUED: 22 });
  expect((await service.fetch('/health/ready')).status).toBe(503);
  service.network.restore();
  for (const id of ids) {
    expect(await untilSms(service, id, isDone)).toMatchObject({
      status: 'SENT',
      cost: '0.8000',
      attempts: 1,
    });
  }
  expect(service.simulator.book()).toMatchObject({ accepted: 30, duplicates: 0 });
  expect(service.lines.join('')).toContain('answers are recorded again');
});

/** Cuts every connection of the service, as a database does that restarts. */
const CUT_ALL = `SELECT count(pg_terminate_backend(pid))::int AS cut FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = 'daftari' AND pid <> pg_backend_pid()`;

test('while connections are cut again and again each message is sent once and recorded', async () => {
  await using service = await startTestService();
  // Queued through connections that have another name, and are not cut.
  const url = new URL(service.network.url);
  url.searchParams.set('application_name', 'test');
  const db = createDb({ url: url.href });
  let count = (await queueMany({ ...service, db }, 100)).length;
  service.send({ concurrency: 8 });
  let recorded = 0;
  let cuts = 0;
  for (let round = 1; round <= 20; round += 1) {
    // The next cut waits until something was recorded since the last: on a machine that takes longer to connect than to
    // cut, nothing ever would be.
    const isMore = (done: number) => done > recorded;
    const done = await until(
      `more than ${String(recorded)} messages done after ${String(cuts)} cuts`,
      async () => (await countPhases(service))['DONE'] ?? 0,
      { isFit: isMore },
    );
    const [row] = await service.query(CUT_ALL);
    cuts += Number(row?.['cut']);
    // As many as are done are queued again, so that every cut finds some under way.
    count += (await queueMany({ ...service, db }, done - recorded)).length;
    recorded = done;
  }
  await db.close();
  expect(cuts).toBeGreaterThan(0);
  // Seen past the service, whose connections may still be told of the last cut when they are asked.
  await until(`${String(count)} messages done`, async () => (await countPhases(service))['DONE'], {
    isFit: (done) => done === count,
  });
  expect(
    await service.query('SELECT status, count(*)::int AS count FROM services.sms_logs GROUP BY status'),
  ).toEqual([{ status: 'SENT', count }]);
  expect(service.simulator.book()).toMatchObject({ accepted: count, duplicates: 0 });
  const [{ cost = null } = {}] = await service.query('SELECT cost::text FROM services.sms_spend');
  expect(cost).toBe(service.simulator.book().cost);
});

test('a claim whose answer was lost is given back by its sender, who knows that it sent nothing', async () => {
  await using service = await startTestService();
  // The claim is committed, and its answer gets lost: as if the connection had broken in that very moment.
  const [id = ''] = await queueMany(service, 1);
  const claim = (sender: string) =>
    service.query(
      `SELECT id FROM services.claim_sms('${sender}', 'africas-talking', 1, 3600000, 3600000, NULL, NULL)`,
    );
  service.network.cut();
  await claim('sender-of-the-test');
  service.send({ name: 'sender-of-the-test' });
  await untilLogged(service, 'no messages can be claimed');
  service.network.restore();
  expect(await untilSms(service, id, isDone)).toMatchObject({ status: 'SENT', attempts: 2 });
  expect(service.simulator.book()).toMatchObject({ accepted: 1, duplicates: 0 });
});

test('what is still under way after an outage is not taken for a claim whose answer was lost', async () => {
  await using service = await startTestService();
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  service.simulator.configure({ gate });
  const [id = ''] = await queueMany(service, 1);
  service.send();
  await untilAccepted(service, 1);
  service.network.cut();
  await untilLogged(service, 'no messages can be claimed');
  service.network.restore();
  await untilLogged(service, 'messages are claimed again');
  expect(await findSms(service.db, id)).toMatchObject({ phase: 'SENDING', attempts: 1 });
  open();
  expect(await untilSms(service, id, isDone)).toMatchObject({ status: 'SENT', attempts: 1 });
  expect(service.simulator.book()).toMatchObject({ accepted: 1, duplicates: 0 });
});

test("what another sender has under way is not taken for one's own", async () => {
  await using service = await startTestService();
  const [id = ''] = await queueMany(service, 1);
  await service.query(
    `SELECT id FROM services.claim_sms('another', 'africas-talking', 1, 3600000, 3600000, NULL, NULL)`,
  );
  service.network.cut();
  service.send({ name: 'sender-of-the-test' });
  await untilLogged(service, 'no messages can be claimed');
  service.network.restore();
  const [later = ''] = await queueMany(service, 1);
  await untilSms(service, later, isDone);
  expect(await findSms(service.db, id)).toMatchObject({
    phase: 'SENDING',
    attempts: 1,
    claimedBy: 'another',
  });
});

const hasReport = (sms: Sms) => sms.deliveryStatus !== null;

test('a report that comes before the answer is recorded joins its message', async () => {
  await using service = await startTestService();
  const reportUrl = `${service.url}/delivery-reports/V1StGXR8Z5jdHi6BmyT0kL9w`;
  service.simulator.configure({ behaviour: behaviourByNumber, reportUrl });
  service.send();
  const [id = ''] = await queueMany(service, 1, '7003');
  const sms = await untilSms(service, id, (each) => isDone(each) && hasReport(each));
  expect(sms).toMatchObject({ status: 'SENT', deliveryStatus: 'Success', network: 'Safaricom' });
  expect(await service.query('SELECT outcome FROM services.sms_delivery_reports')).toEqual([
    { outcome: 'PARKED' },
  ]);
});

test.each([
  ['repeated and late', '7001', { status: 'SENT', deliveryStatus: 'Success' }],
  ['out of order', '7002', { status: 'SENT', deliveryStatus: 'Success' }],
  ['as JSON', '7007', { status: 'SENT', deliveryStatus: 'Success' }],
  ['of a status that is not listed', '7004', { status: 'SENT', deliveryStatus: 'Teleported' }],
  ['of a failure', '7005', { status: 'FAILED', deliveryStatus: 'Failed', errorCode: 'undelivered' }],
])('reports %s end where the rule says', async (_what, ending, end) => {
  await using service = await startTestService();
  const reportUrl = `${service.url}/delivery-reports/V1StGXR8Z5jdHi6BmyT0kL9w`;
  service.simulator.configure({ behaviour: behaviourByNumber, reportUrl });
  service.send();
  const [id = ''] = await queueMany(service, 1, ending);
  await untilSms(service, id, isDone);
  await service.simulator.reportsSent();
  expect(await findSms(service.db, id)).toMatchObject({ ...end, cost: '0.8000' });
  expect(service.simulator.book().reportsFailed).toBe(0);
});
