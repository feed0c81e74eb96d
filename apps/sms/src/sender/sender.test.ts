import { queueSms } from '@repo/db';
import { expect, test } from 'vitest';
import { isDone, newNumber, startTestService, untilSms } from '../testing.ts';

test('a queued message leaves once, and its row has the id, the cost and the parts of the answer', async () => {
  await using service = await startTestService();
  service.send();
  const { id } = await queueSms(service.db, { recipient: newNumber(), message: 'KES 100.00 received.' });
  const sms = await untilSms(service, id, isDone);
  const [booked, ...others] = service.simulator.messages();
  expect(others).toEqual([]);
  expect(sms).toMatchObject({
    status: 'SENT',
    attempts: 1,
    provider: 'africas-talking',
    providerMessageId: booked?.id,
    cost: '0.8000',
    currency: 'KES',
    expectedParts: 1,
    encoding: 'GSM-7',
    errorCode: null,
  });
});
