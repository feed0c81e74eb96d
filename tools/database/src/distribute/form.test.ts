import {
  auditLedger,
  claimSms,
  closePeriod,
  createDb,
  createSmsSettler,
  findDeposit,
  findSms,
  openWallet,
  queueSms,
  reconcile,
  recordDeliveryReport,
  recordDeposit,
  recordDeposits,
  reverseTransaction,
  smsHistory,
  smsSpend,
  storeCallback,
  transfer,
  walletStatement,
} from '@repo/db';
import type { Db, DeliveryReport, SettledSms, SmsSettlement } from '@repo/db';
import { createTestDatabase } from '@repo/postgres/testing';
import { until } from '@repo/testing/until';
import { expect, it } from 'vitest';
import { withConnection } from '../connection.ts';
import { depositTo, expectAlike, openPair } from '../fixtures/both-forms.ts';
import { numberOf } from '../fixtures/databases.ts';
import { DELIVERED, expectMessagesAlike } from '../fixtures/messages-in-both-forms.ts';
import { expectMoneyAlike } from '../fixtures/money-in-both-forms.ts';
import { expectPaymentsAlike } from '../fixtures/payments-in-both-forms.ts';
import { expectStatementsAlike } from '../fixtures/statements-in-both-forms.ts';
import { repository } from '../fixtures/temporary-project.ts';
import { layOutForm } from './form.ts';

// Without Citus the form lies on one server: what its functions say is tried wherever the tests run.
it(
  'the distributed form records whatever is sent as one machine does, and claims each receipt once',
  {
    timeout: 300_000,
  },
  async () => {
    await using plain = await createTestDatabase();
    await using lanes = await createTestDatabase();
    await withConnection(lanes.url, (client) => layOutForm(client, repository.distributed));
    await using pair = await openPair(plain.url, lanes.url);
    await expectAlike(pair, 30);
    const [row] = await lanes.query(
      `SELECT count(*)::int AS logs, count(c.reference)::int AS claimed,
            count(*) FILTER (WHERE c.lane = l.lane)::int AS there, (SELECT count(*)::int FROM lanes.claims) AS claims
       FROM services.mpesa_logs l LEFT JOIN lanes.claims c ON c.reference = l.mpesa_receipt`,
    );
    const logs = Number(row?.['logs']);
    expect(logs).toBeGreaterThan(0);
    expect(row).toEqual({ logs, claimed: logs, there: logs, claims: logs });
  },
);

it(
  'the distributed form moves money, keeps it and reads it as one machine does',
  { timeout: 300_000 },
  async () => {
    await using plain = await createTestDatabase();
    await using lanes = await createTestDatabase();
    await withConnection(lanes.url, (client) => layOutForm(client, repository.distributed));
    await using pair = await openPair(plain.url, lanes.url);
    await expectMoneyAlike(pair, 20);
  },
);

it(
  'the distributed form settles payments, flags them and tells endpoints as one machine does',
  { timeout: 300_000 },
  async () => {
    await using plain = await createTestDatabase();
    await using lanes = await createTestDatabase();
    await withConnection(lanes.url, (client) => layOutForm(client, repository.distributed));
    await using pair = await openPair(plain.url, lanes.url);
    await expectPaymentsAlike(pair, 30);
  },
);

it(
  'the distributed form queues, sends, settles and reports messages as one machine does',
  { timeout: 300_000 },
  async () => {
    await using plain = await createTestDatabase();
    await using lanes = await createTestDatabase();
    await withConnection(lanes.url, (client) => layOutForm(client, repository.distributed));
    await using pair = await openPair(plain.url, lanes.url);
    await expectMessagesAlike(pair, 30);
  },
);

it(
  'the distributed form compares statements with payments, heals, posts and closes periods as one machine does',
  { timeout: 300_000 },
  async () => {
    await using plain = await createTestDatabase();
    await using lanes = await createTestDatabase();
    await withConnection(lanes.url, (client) => layOutForm(client, repository.distributed));
    await using pair = await openPair(plain.url, lanes.url);
    await expectStatementsAlike(pair, 20);
  },
);

it('what was recorded before it is distributed is credited no second time, for whichever account it comes again', async () => {
  await using database = await createTestDatabase();
  const db = createDb({ url: database.url, maxConnections: 1 });
  const numbers: string[] = [];
  for (let count = 0; count < 8; count += 1) {
    numbers.push((await openWallet(db, { holderName: 'Amina Otieno', phone: '254700000011' })).number);
  }
  const [first = ''] = numbers;
  const deposit = depositTo(first);
  await recordDeposit(db, deposit);
  const held = { ...depositTo(first), amount: '10000000.01' };
  await recordDeposit(db, held);
  const callback = { kind: 'C2B_CONFIRMATION', source: null, body: Buffer.from('x') } as const;
  await storeCallback(db, { ...callback, outcome: 'QUARANTINED', error: 'x', receipt: null });
  await db.close();

  await withConnection(database.url, (client) => layOutForm(client, repository.distributed));
  const distributed = createDb({ url: database.url, maxConnections: 1 });
  // The other accounts first: a claim would be theirs.
  for (const account of numbers.toReversed()) {
    expect(await recordDeposit(distributed, { ...deposit, account })).toMatchObject({
      outcome: 'duplicate',
      wallet: first,
    });
    expect(await recordDeposit(distributed, { ...held, account })).toMatchObject({
      outcome: 'duplicate',
      original: 'held',
    });
  }
  await distributed.close();
  const sum = `SELECT sum(balance)::text AS sum FROM core.wallets WHERE kind = 'CUSTOMER'`;
  expect(await database.query(sum)).toEqual([{ sum: '10.00' }]);
});

it('what is older than lanes, and what moved between them, is found where it belongs', async () => {
  await using database = await createTestDatabase();
  const db = createDb({ url: database.url, maxConnections: 2 });
  const open = async () =>
    (await openWallet(db, { holderName: 'Amina Otieno', phone: '254700000011' })).number;
  const [from, to] = [await open(), await open()];
  const deposit = depositTo(from);
  await recordDeposit(db, deposit);
  const suspense = depositTo('nobody');
  await recordDeposit(db, suspense);
  const sent = await transfer(db, { from, to, amount: '4.00', idempotencyKey: 'before' });
  await db.close();
  for (const table of [
    'core.transactions',
    'core.wallet_events',
    'services.mpesa_logs',
    'services.mpesa_callbacks',
  ]) {
    await database.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
    await database.query(`UPDATE ${table} SET lane = NULL`);
    await database.query(`ALTER TABLE ${table} ENABLE TRIGGER USER`);
  }

  await withConnection(database.url, (client) => layOutForm(client, repository.distributed));
  const distributed = createDb({ url: database.url, maxConnections: 2 });
  expect(await recordDeposit(distributed, { ...deposit, account: to })).toMatchObject({
    outcome: 'duplicate',
    wallet: from,
  });
  expect(await findDeposit(distributed, suspense.receipt)).toMatchObject({
    outcome: 'suspense',
    callbacks: [{ outcome: 'SUSPENSE' }],
  });
  await reverseTransaction(distributed, { reference: sent.reference, idempotencyKey: 'after' });
  const { lines } = await walletStatement(distributed, { wallet: from });
  expect(lines.map(({ type, balanceAfter }) => [type, balanceAfter])).toEqual([
    ['DEPOSIT', '10.00'],
    ['TRANSFER', '6.00'],
    ['REVERSAL', '10.00'],
  ]);
  const { checks } = await auditLedger(distributed);
  expect(checks.flatMap(({ findings }) => findings)).toEqual([]);
  await distributed.close();
});

it('messages from before it is distributed go on as if nothing had happened', async () => {
  await using database = await createTestDatabase();
  const db = createDb({ url: database.url, maxConnections: 1 });
  const keyed = { recipient: '254700000012', message: 'of a key', idempotencyKey: 'before' };
  const { id } = await queueSms(db, keyed);
  const claim = { sender: 'one', provider: 'trial', limit: 10, leaseMs: 3_600_000, maxAgeMs: 86_400_000 };
  const [first] = (await claimSms(db, claim)).messages;
  const sent = {
    id,
    attempt: 1,
    outcome: 'accepted',
    providerMessageId: 'AT-1',
    cost: '0.8000',
    currency: 'KES',
  } as const;
  await settleWith(db, { ...sent, outcome: 'unknown', providerMessageId: null });
  const early = await recordDeliveryReport(db, reportOf('AT-2'));
  await queueSms(db, { recipient: '254700000013', message: 'it waits' });
  await db.close();
  expect(first?.id).toBe(id);
  expect(early.outcome).toBe('PARKED');

  await withConnection(database.url, (client) => layOutForm(client, repository.distributed));
  const distributed = createDb({ url: database.url, maxConnections: 1 });
  expect(await queueSms(distributed, keyed)).toMatchObject({ id, replayed: true });
  expect((await smsHistory(distributed, id)).map(({ kind }) => kind)).toEqual(['UNKNOWN']);
  expect(await settleWith(distributed, sent)).toMatchObject({ result: 'late', status: 'SENT' });
  expect(await recordDeliveryReport(distributed, reportOf('AT-1'))).toMatchObject({
    outcome: 'APPLIED',
    smsId: id,
  });
  const [waiting] = (await claimSms(distributed, claim)).messages;
  expect(waiting?.message).toBe('it waits');
  await settleWith(distributed, { ...sent, id: waiting?.id ?? '', providerMessageId: 'AT-2' });
  expect(await findSms(distributed, waiting?.id ?? '')).toMatchObject({ deliveryState: 'delivered' });
  expect(await smsSpend(distributed)).toMatchObject([{ messages: 2, cost: '1.6000' }]);
  await distributed.close();
});

async function settleWith(db: Db, settlement: SmsSettlement): Promise<SettledSms> {
  const settler = createSmsSettler(db);
  const settled = await settler.settle(settlement);
  await settler.close();
  return settled;
}

function reportOf(providerMessageId: string): DeliveryReport {
  const nothing = { reason: null, explanation: null, network: null, retryCount: null, phone: null };
  return {
    provider: 'trial',
    providerMessageId,
    state: 'delivered',
    status: 'Ok',
    ...nothing,
    body: Buffer.from('x'),
  };
}

// Each node has a clock of its own. The time of a wallet stands here for one that is ahead of that of the node that posts.
it('what is posted after a period was closed is late for it, also where a clock is behind that of another node', async () => {
  await using database = await createTestDatabase();
  await withConnection(database.url, (client) => layOutForm(client, repository.distributed));
  const db = createDb({ url: database.url, maxConnections: 2 });
  const wallets: string[] = [];
  for (let count = 0; count < 8; count += 1)
    wallets.push((await openWallet(db, { holderName: 'Amina Otieno', phone: '254700000011' })).number);
  const ahead = new Date(Date.now() + 3_600_000);
  await withConnection(database.url, async (client) => {
    await client.query('SET session_replication_role = replica');
    await client.query(`UPDATE core.wallets SET updated_at = $1::timestamp WHERE id = 'MPESA-FLOAT.5'`, [
      ahead.toISOString(),
    ]);
  });
  const day = { from: new Date('2026-02-28T21:00:00Z'), to: new Date('2026-03-01T21:00:00Z') };
  const items = (['statement', 'float'] as const).map((control) => ({
    control,
    amount: '0.00',
    note: 'no statement',
  }));
  const { id, closedAt } = await closePeriod(db, { shortCode: '600123', ...day, items });
  expect(closedAt).toEqual(ahead);
  const late = wallets.map((number) => depositTo(number));
  await recordDeposits(db, late);
  const after = { from: new Date(Date.now() - 3_600_000), to: new Date(ahead.getTime() + 3_600_000) };
  const { report } = await reconcile(db, { shortCode: '600123', ...after });
  const told = new Map(report.controls.late.map(({ reference, period }) => [reference, period]));
  expect(told).toEqual(new Map(late.map(({ receipt }) => [receipt, id])));
  await db.close();
});

// Each node commits its part of a transaction by itself: the wallet of suspense may be free again before another node shows the
// assignment. Its claim, which that node still has to commit, is what stands for it here.
it('a payment is not sent back while an assignment of it is still being committed somewhere', async () => {
  await using database = await createTestDatabase();
  await withConnection(database.url, (client) => layOutForm(client, repository.distributed));
  const db = createDb({ url: database.url, maxConnections: 1 });
  const deposit = depositTo('nobody');
  await recordDeposit(db, deposit);
  await database.query('BEGIN');
  await database.query(`INSERT INTO lanes.claims (reference, lane) VALUES ('AS-${deposit.receipt}', 0)`);
  const reversing = reverseTransaction(db, { reference: deposit.receipt, idempotencyKey: 'back' });
  const waiting = `SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
  const first = await Promise.race([
    reversing.then(() => 'it was sent back'),
    until('it waits', () => numberOf(database.url, waiting), { isFit: (count) => count === 1 }),
  ]);
  expect(first).toBe(1);
  await database.query('ROLLBACK');
  expect(await reversing).toMatchObject({ type: 'REVERSAL', amount: '10.00' });
  await db.close();
});

it('a report waits for its message where the id of the provider is still being committed', async () => {
  await using database = await createTestDatabase();
  await withConnection(database.url, (client) => layOutForm(client, repository.distributed));
  const db = createDb({ url: database.url, maxConnections: 1 });
  const { id } = await queueSms(db, { recipient: '254700000022', message: 'Hello' });
  await claimSms(db, {
    sender: 'one',
    provider: 'trial',
    limit: 1,
    leaseMs: 3_600_000,
    maxAgeMs: 86_400_000,
  });
  const settler = createSmsSettler(db);
  await settler.settle({ id, attempt: 1, outcome: 'accepted', providerMessageId: 'AT-1' });
  await settler.close();
  // The node of the ids has committed; the one of the message has prepared.
  await database.query(`SET session_replication_role = replica`);
  await database.query(`UPDATE services.sms_logs SET provider_message_id = NULL`);
  await database.query('BEGIN');
  await database.query(`UPDATE services.sms_logs SET provider_message_id = 'AT-1'`);
  const reporting = recordDeliveryReport(db, { ...DELIVERED, providerMessageId: 'AT-1' });
  const waiting = `SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
  const first = await Promise.race([
    reporting.then(() => 'it was parked'),
    until('it waits', () => numberOf(database.url, waiting), { isFit: (count) => count === 1 }),
  ]);
  expect(first).toBe(1);
  await database.query('COMMIT');
  expect(await reporting).toMatchObject({ outcome: 'APPLIED' });
  expect(await findSms(db, id)).toMatchObject({ deliveryState: 'delivered' });
  await db.close();
});

// Citus refuses such an UPDATE where it runs, and only there: "non-IMMUTABLE functions are not allowed in CASE or COALESCE".
it('no UPDATE of the distributed form asks for the time or the session within CASE or COALESCE', async () => {
  await using database = await createTestDatabase();
  await withConnection(database.url, (client) => layOutForm(client, repository.distributed));
  const functions = await database.query(
    `SELECT p.oid::regproc::text AS name, p.prosrc AS body FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname IN ('core', 'services', 'lanes')`,
  );
  const found = functions.flatMap(({ name, body }) =>
    [...String(body).matchAll(UPDATE)]
      .filter(([update]) => [...update.matchAll(CHOICE)].some(([choice]) => CHANGING.test(choice)))
      .map(() => name),
  );
  expect(functions.length).toBeGreaterThan(100);
  expect(found).toEqual([]);
});

const UPDATE = /\bUPDATE [a-z]+\.[a-z_]+(?: (?:AS )?[a-z])?\s+SET [^;]*;/g;
const CHOICE = /\bCASE\b[\s\S]*?\bEND\b|\bcoalesce\((?:[^()]|\([^()]*\))*\)/gi;
const CHANGING = /_timestamp\(\)|\bnow\(\)|session_user|current_user|current_setting\(|new_id\(|random/i;
