import { expect, test } from 'vitest';
import { listSms } from './sms-list.ts';
import { queueSms } from './queue.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { newPhone } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();

test('messages to a number are found however it is written, the newest first, page by page', async () => {
  const phone = newPhone();
  for (let count = 0; count < 5; count += 1)
    await queueSms(database.db, { recipient: phone, message: `news ${String(count)}` });
  await queueSms(database.db, { recipient: newPhone(), message: 'of somebody else' });
  for (const written of [phone, `+${phone}`, `0${phone.slice(3, 6)} ${phone.slice(6)}`]) {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof listSms>> = await listSms(database.db, {
        by: { phone: written },
        limit: 2,
        ...(cursor === null ? {} : { cursor }),
      });
      seen.push(...page.messages.map(({ message }) => message));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(['news 4', 'news 3', 'news 2', 'news 1', 'news 0']);
  }
});

test('messages about a transaction are found by its reference, in small letters too', async () => {
  const about = { recipient: newPhone(), message: 'x', transactionReference: 'QKJ41HARMI' };
  const { id } = await queueSms(database.db, about);
  for (const reference of ['QKJ41HARMI', 'qkj41harmi', ' QKJ41HARMI '])
    expect((await listSms(database.db, { by: { reference } })).messages.map((sms) => sms.id)).toEqual([id]);
  for (const reference of ['QKJ41HARM', '%', 'a\0b', '\ud800'])
    expect((await listSms(database.db, { by: { reference } })).messages).toEqual([]);
});

test.for(['', 'x', '1_x', '99999999999999999_00000000-0000-4000-8000-000000000000'])(
  'the cursor %j is none',
  async (cursor) => {
    await expect(listSms(database.db, { by: { reference: 'X' }, cursor })).rejects.toMatchObject({
      code: 'invalid_request',
      field: 'cursor',
    });
  },
);

test.for([
  ['recipient', 'idx_sms_logs_recipient'],
  ['transaction_reference', 'sms_logs_reference_idx'],
])('an index serves the search by %s', async ([column, index]) => {
  await database.sql('SET enable_seqscan = off');
  const plan = await database.sql(
    `EXPLAIN SELECT 1 FROM services.sms_logs WHERE ${column ?? ''} IN ('a', 'b')`,
  );
  await database.sql('RESET enable_seqscan');
  expect(JSON.stringify(plan)).toContain(index);
});
