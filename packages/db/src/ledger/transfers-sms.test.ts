import { expect, test } from 'vitest';
import { addFeeRule, clearFeeRules } from '../testing/ledger/fees.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { withWallets } from '../testing/sms/news.ts';
import { connect, throughDoor, useTestDb } from '../testing/database/test-db.ts';
import { newPhone, openCustomer, openFunded, setStatus } from '../testing/database/wallet-fixtures.ts';
import { transfer, transfers } from './transfers.ts';

const database = useTestDb();
const { sql } = database;

/** The messages to these wallets' holders about transfers, oldest first. */
async function newsTo(...wallets: readonly string[]) {
  const phones = await sql('SELECT phone FROM core.wallets WHERE id = ANY ($1)', [wallets]);
  const news = await sql(
    `SELECT recipient, template, language, priority, status, transaction_reference AS reference, message
       FROM services.sms_logs WHERE recipient = ANY ($1) AND template LIKE 'transfer%' ORDER BY id`,
    [phones.map(({ phone }) => phone)],
  );
  return withWallets(sql, news);
}

test('both sides of a transfer are told, each with the other’s name and the balance that is left', async () => {
  const from = await openFunded(database, '1000.00');
  const to = await openCustomer(database.db, { holderName: 'Otieno Odhiambo', language: 'sw' });
  const { reference } = await transfer(database.db, sampleTransfer({ from, to, amount: '250.00' }));
  expect(await newsTo(from, to)).toEqual([
    {
      wallet: from,
      template: 'transfer_out',
      language: 'en',
      priority: 0,
      status: 'PENDING',
      reference,
      message: `${reference} confirmed. KES 250.00 sent to Otieno Odhiambo. New balance KES 750.00.`,
    },
    {
      wallet: to,
      template: 'transfer_in',
      language: 'sw',
      priority: 0,
      status: 'PENDING',
      reference,
      message: `${reference} imethibitishwa. Umepokea KES 250.00 kutoka kwa Wanjiku Kamau. Salio jipya KES 250.00.`,
    },
  ]);
});

test('a refused payer gets an SMS that can wait, and that does not say whose number it was', async () => {
  const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
  await expect(transfer(database.db, sampleTransfer({ from, to, amount: '250.00' }))).rejects.toMatchObject({
    code: 'insufficient_funds',
  });
  expect(await newsTo(from, to)).toMatchObject([
    {
      wallet: from,
      template: 'transfer_refused',
      priority: 1,
      reference: null,
      message: `KES 250.00 to ${to} was not sent: your balance is too low. No money has left your wallet.`,
    },
  ]);
});

test.for(['FROZEN', 'CLOSED'])(
  'of a payee who is %s a refusal says no more than that nothing arrives',
  async (status) => {
    const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
    await setStatus(sql, to, status);
    await expect(transfer(database.db, sampleTransfer({ from, to, amount: '1.00' }))).rejects.toThrow();
    expect((await newsTo(from, to)).map(({ wallet, message }) => [wallet, message])).toEqual([
      [
        from,
        `KES 1.00 to ${to} was not sent: that wallet cannot receive money now. No money has left your wallet.`,
      ],
    ]);
  },
);

test('a payer whose own wallet is frozen gets an SMS that says so', async () => {
  const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
  await setStatus(sql, from, 'FROZEN');
  await expect(transfer(database.db, sampleTransfer({ from, to }))).rejects.toThrow();
  expect((await newsTo(from)).map(({ message }) => message)).toEqual([
    `KES 10.00 to ${to} was not sent: your wallet is locked. No money has left your wallet.`,
  ]);
});

/** Asks for what the wallet cannot pay, in a batch of its own each time. */
async function beRefused(from: string, to: string, times: number): Promise<void> {
  const asked = Array.from({ length: times }, () =>
    transfer(database.db, sampleTransfer({ from, to, amount: '250.00' })),
  );
  const answers = await Promise.allSettled(asked);
  expect(answers.filter(({ status }) => status === 'rejected')).toHaveLength(times);
}

test('of a hundred refusals in an hour one is told, however many come at once', async () => {
  const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
  await beRefused(from, to, 1);
  await beRefused(from, to, 79);
  await transfers(
    database.db,
    Array.from({ length: 20 }, () => sampleTransfer({ from, to, amount: '250.00' })),
  );
  expect(await newsTo(from)).toHaveLength(1);
});

test('of the refusals of one batch each wallet is told of its first', async () => {
  const [one, other] = [await openFunded(database, '10.00'), await openFunded(database, '10.00')];
  const to = await openCustomer(database.db);
  await transfers(
    database.db,
    ['21.00', '22.00', '23.00'].flatMap((amount) =>
      [one, other].map((from) => sampleTransfer({ from, to, amount })),
    ),
  );
  const told = await newsTo(one, other);
  expect(told).toHaveLength(2);
  expect(new Set(told.map(({ wallet }) => wallet))).toEqual(new Set([one, other]));
  for (const { message } of told) expect(message).toContain('KES 21.00');
});

test('refusals that come at the very same time are told once', async () => {
  const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
  const clients = await Promise.all(Array.from({ length: 8 }, () => connect(database.url)));
  const tell = `SELECT services.queue_movement_sms(ARRAY['transfer_refused'], ARRAY[$1], ARRAY[NULL], ARRAY[1.00],
    ARRAY['KES'], ARRAY[$2], ARRAY[NULL]::numeric[], ARRAY['insufficient_funds'], ARRAY[1]::smallint[])`;
  await Promise.all(clients.map((client) => client.query(tell, [from, to])));
  await Promise.all(clients.map((client) => client.end()));
  expect(await newsTo(from)).toHaveLength(1);
});

test('an hour later the next refusal is told again', async () => {
  const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
  await beRefused(from, to, 2);
  await throughDoor(
    sql,
    `UPDATE services.sms_last_told SET told_at = told_at - interval '59 minutes' WHERE wallet_id = $1`,
    [from],
  );
  await beRefused(from, to, 2);
  expect(await newsTo(from)).toHaveLength(1);
  await throughDoor(
    sql,
    `UPDATE services.sms_last_told SET told_at = told_at - interval '1 minute' WHERE wallet_id = $1`,
    [from],
  );
  await beRefused(from, to, 2);
  expect(await newsTo(from)).toHaveLength(2);
});

test('a request that could never be posted sends no message', async () => {
  const from = await openFunded(database, '10.00');
  await expect(
    transfer(database.db, sampleTransfer({ from, to: from, amount: '1.00' })),
  ).rejects.toMatchObject({ code: 'same_wallet' });
  expect(await newsTo(from)).toEqual([]);
});

test('the same request again sends no SMS again', async () => {
  const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
  const request = sampleTransfer({ from, to, amount: '1.00', idempotencyKey: newKey() });
  await transfer(database.db, request);
  await transfer(database.db, request);
  expect(await newsTo(from, to)).toHaveLength(2);
});

test('of a transfer without notice nobody is told, whatever else is in its batch', async () => {
  const from = await openFunded(database, '10.00');
  const [quiet, told] = [await openCustomer(database.db), await openCustomer(database.db)];
  await transfers(database.db, [
    { ...sampleTransfer({ from, to: quiet, amount: '1.00' }), notify: false },
    sampleTransfer({ from, to: told, amount: '1.00' }),
  ]);
  expect((await newsTo(from, quiet, told)).map(({ wallet }) => wallet)).toEqual([from, told]);
});

test('each payer to one wallet in one batch is told the balance after their own transfer', async () => {
  const [from, to] = [
    await openFunded(database, '10.00'),
    await openCustomer(database.db, { phone: newPhone() }),
  ];
  await transfers(
    database.db,
    ['1.00', '2.00'].map((amount) => sampleTransfer({ from, to, amount })),
  );
  const endings = (await newsTo(from, to)).map(
    ({ message }) => String(message).split('New balance ')[1] ?? '',
  );
  expect(endings.toSorted()).toEqual(['KES 1.00.', 'KES 3.00.', 'KES 7.00.', 'KES 9.00.']);
});

test.each([
  ['SENDER', 'KES 87.00.', 'KES 10.00.'],
  ['RECEIVER', 'KES 90.00.', 'KES 7.00.'],
] as const)('a fee that the %s pays is taken off the balance in their SMS', async (payer, left, received) => {
  await clearFeeRules(sql);
  await addFeeRule(sql, { type: 'TRANSFER', flat: '3.00', payer });
  const [from, to] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  await transfer(database.db, sampleTransfer({ from, to, amount: '10.00' }));
  await clearFeeRules(sql);
  expect(await newsTo(from, to)).toMatchObject([
    { wallet: from, message: expect.stringContaining(`New balance ${left}`) as string },
    { wallet: to, message: expect.stringContaining(`New balance ${received}`) as string },
  ]);
});
