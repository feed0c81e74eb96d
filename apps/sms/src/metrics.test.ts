import { queueSms } from '@repo/db';
import { expect, test } from 'vitest';
import { isUnknown, newNumber, openProvider, startTestService, untilMetric, untilSms } from './testing.ts';

test('the metrics show the balance at the provider, the spending of the day, the queue and the circuit', async () => {
  await using service = await startTestService();
  service.simulator.configure({ behaviour: () => ({ kind: 'accept', answer: 'dropped' }) });
  const first = service.send({ provider: openProvider(service.simulator.url) });
  const { id } = await queueSms(service.db, { recipient: newNumber(), message: 'Hello' });
  await untilSms(service, id, isUnknown);
  await first.stop();
  await service.query(
    `SELECT set_config('daftari.door', 'open', true);
     INSERT INTO services.sms_spend (day, currency, messages, parts, cost)
     VALUES (services.eat_day(now() AT TIME ZONE 'UTC'), 'KES', 3, 3, 2.4)`,
  );
  await queueSms(service.db, { recipient: newNumber(), message: 'Hello', priority: 1 });
  // A sender that has come and may send nothing of this: it looks around as soon as it is there.
  service.send({ budget: { amount: '1.0000', currency: 'KES' } });
  await untilMetric(service, 'sms_queue_messages{phase="queued",service="sms"}', (count) => count === 1);
  const expected = {
    'sms_queue_messages{phase="unknown",service="sms"}': 1,
    'sms_queue_messages{phase="sending",service="sms"}': 0,
    'sms_spent_today{currency="KES",service="sms"}': 2.4,
    'sms_circuit_state{state="closed",service="sms"}': 1,
    'sms_attempts_total{outcome="unknown",code="connection_lost",service="sms"}': 1,
  };
  for (const [name, value] of Object.entries(expected)) {
    await untilMetric(service, name, (found) => found === value);
  }
  await untilMetric(service, 'sms_provider_balance{currency="KES",service="sms"}', (amount) => amount > 0);
  const oldest = await service.metric('sms_oldest_due_seconds{priority="unimportant",service="sms"}');
  expect(oldest).toBeGreaterThan(0);
});

test('looking at the metrics asks neither the database nor the provider', async () => {
  await using service = await startTestService();
  service.send();
  await untilMetric(service, 'sms_provider_balance{currency="KES",service="sms"}', (amount) => amount > 0);
  service.network.cut();
  await service.simulator.close();
  const response = await service.fetch('/metrics');
  expect(response.status).toBe(200);
  expect(await response.text()).toContain('sms_provider_balance');
});
