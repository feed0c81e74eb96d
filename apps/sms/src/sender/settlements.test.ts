import { findSms, queueSms } from '@repo/db';
import { expect, test } from 'vitest';
import type { ProviderFacts } from '../providers/provider.ts';
import { createConsoleProvider } from '../providers/console.ts';
import { isDone, newNumber, startTestService, untilLogged, untilSms } from '../testing.ts';

const FACTS: ProviderFacts = {
  providerMessageId: 'ATXid_of_the_test',
  cost: '0.8000',
  currency: 'KES',
  costText: 'KES 0.8000',
  parts: 1,
  providerStatus: '101 Success',
};

/** A provider that accepts with these facts, which no real one was seen to send. */
function providerOf(changes: Partial<ProviderFacts>) {
  const console = createConsoleProvider({ write: () => undefined });
  let sent = 0;
  const send = () => {
    sent += 1;
    return Promise.resolve({ kind: 'accepted', ...FACTS, ...changes } as const);
  };
  return { provider: { ...console, send }, sent: () => sent };
}

test.each([
  ['more parts than there can be', { parts: 40_000 }],
  ['a cost that no message has', { cost: '1000000.0000' }],
  ['an invalid currency', { currency: 'shillings' }],
])(
  'an acceptance with %s is recorded without it, and the message is not sent again',
  async (_what, changes) => {
    await using service = await startTestService();
    const { provider, sent } = providerOf(changes);
    service.send({ provider });
    const { id } = await queueSms(service.db, { recipient: newNumber(), message: 'Hello' });
    expect(await untilSms(service, id, isDone)).toMatchObject({
      status: 'SENT',
      providerMessageId: FACTS.providerMessageId,
      cost: null,
    });
    expect(sent()).toBe(1);
    expect(service.lines.join('')).toContain('its outcome alone is recorded');
  },
);

test('what the database refuses to record in any form stays under way, and is never taken for unsent', async () => {
  await using service = await startTestService();
  await service.query(
    `CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'out of order'; END $$;
     CREATE TRIGGER refuse BEFORE UPDATE ON services.sms_logs FOR EACH ROW
       WHEN (NEW.phase = 'DONE' AND NEW.message = 'POISON') EXECUTE FUNCTION public.refuse()`,
  );
  const { provider, sent } = providerOf({});
  service.send({ provider });
  const poison = await queueSms(service.db, { recipient: newNumber(), message: 'POISON' });
  await untilLogged(service, 'nor does its outcome');
  // After an outage a sender gives back what it has claimed and not sent. This was sent.
  service.network.cut();
  await untilLogged(service, 'no messages can be claimed');
  service.network.restore();
  const later = await queueSms(service.db, { recipient: newNumber(), message: 'Hello' });
  await untilSms(service, later.id, isDone);
  expect(await findSms(service.db, poison.id)).toMatchObject({ phase: 'SENDING', attempts: 1 });
  expect(sent()).toBe(2);
});
