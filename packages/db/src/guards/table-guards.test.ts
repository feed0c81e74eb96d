import { expect, test } from 'vitest';
import { claimSms } from '../sms/claims.ts';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { accepted, claimNew, drain, queueOne } from '../testing/sms/messages.ts';
import { settleSms } from '../sms/settlements.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { throughDoor, useTestDb, valueOf } from '../testing/database/test-db.ts';
import { openFunded } from '../testing/database/wallet-fixtures.ts';
import { transfer } from '../ledger/transfers.ts';

const database = useTestDb();
const { sql } = database;

/** What writes into every table that decides over money, identity or what is sent, and whom its hint must name. */
const WRITES: readonly (readonly [string, RegExp])[] = [
  [
    `INSERT INTO core.requests (idempotency_key, digest, outcome, reason) VALUES ('k', 'd', 'REFUSED', 'r')`,
    /transfer/,
  ],
  [`INSERT INTO core.requests SELECT * FROM core.requests ON CONFLICT DO NOTHING`, /transfer/],
  [
    `INSERT INTO core.wallet_events (wallet_id, changed, actor, reason) VALUES ('FEES', 'status', 'me', 'x')`,
    /core\.change_wallet/,
  ],
  [`INSERT INTO services.mpesa_logs (mpesa_receipt, amount) VALUES ('UH4SP1L7W6', 1)`, /recordDeposit/],
  [
    `INSERT INTO services.mpesa_callbacks (kind, outcome, body) VALUES ('API', 'FAILED', '')`,
    /storeCallback/,
  ],
  [`UPDATE services.mpesa_payments SET status = 'PAID', receipt = 'UH4SP1L7W6'`, /requestPayment/],
  [
    `INSERT INTO services.mpesa_payment_events (payment_id, place, kind, status) VALUES (core.new_id(), 1, 'PAID', 'PAID')`,
    /requestPayment/,
  ],
  [`INSERT INTO services.mpesa_inquiries (receipt) VALUES ('UH4SP1L7W6')`, /recordUnproven/],
  [`UPDATE services.mpesa_inquiries SET payment_id = core.new_id()`, /recordUnproven/],
  [
    `INSERT INTO services.mpesa_witnesses (receipt, kind, amount, short_code) VALUES ('UH4SP1L7W6', 'API', 1, '1')`,
    /recordDeposit/,
  ],
  [`UPDATE services.daraja_tokens SET token = NULL`, /storeDarajaToken/],
  [
    `INSERT INTO services.mpesa_statements (id, sha256, form, short_code, imported_by)
     VALUES (core.new_id(), 'x', 'A', '600123', 'me')`,
    /importStatement/,
  ],
  [`UPDATE services.mpesa_statement_lines SET kind = 'charge'`, /importStatement/],
  [
    `INSERT INTO services.mpesa_matches (line_id, transaction_id) VALUES (core.new_id(), core.new_id())`,
    /reconcile/,
  ],
  [
    `INSERT INTO services.mpesa_reconciliation_runs (reconciliation_id, healed, run_by) VALUES (core.new_id(), 0, 'me')`,
    /reconcile/,
  ],
  [`UPDATE services.sms_logs SET status = 'PENDING', phase = 'QUEUED' WHERE phase = 'DONE'`, /decideSms/],
  [`UPDATE services.sms_logs SET recipient = '254700000666'`, /queueSms/],
  [`UPDATE services.sms_logs SET message = 'WIN'`, /queueSms/],
  [`UPDATE services.sms_logs SET provider_message_id = NULL, attempts = 0, cost = 0`, /queueSms/],
  [
    `INSERT INTO services.sms_logs (id, message) SELECT id, 'x' FROM services.sms_logs ON CONFLICT (id) DO UPDATE SET phase = 'QUEUED'`,
    /queueSms/,
  ],
  [
    `INSERT INTO services.sms_events (sms_id, kind, attempt) VALUES (core.new_id(), 'DECIDED', 1)`,
    /decideSms/,
  ],
  [
    `INSERT INTO services.sms_delivery_reports (provider, outcome, body) VALUES ('at', 'PARKED', '')`,
    /recordDeliveryReport/,
  ],
  [`INSERT INTO services.sms_spend VALUES ('2026-03-01', 'KES', 1, 1, -100)`, /services\.settle_sms/],
  [`UPDATE services.sms_spend SET cost = 0`, /services\.settle_sms/],
  [`INSERT INTO services.sms_opt_outs (number, number_hash) VALUES ('254700000001', 'x')`, /recordOptOut/],
  [`UPDATE services.sms_opt_outs SET number = '1'`, /recordOptOut/],
  [`DELETE FROM services.sms_opt_outs`, /services\.forget_opt_out/],
  [`INSERT INTO services.api_keys (name, key_hash, scopes) VALUES ('me', 'x', '{admin}')`, /createApiKey/],
  [`UPDATE services.api_keys SET scopes = '{admin}', revoked_at = NULL`, /createApiKey/],
  [
    `INSERT INTO services.webhooks (url, events, secret, created_by) VALUES ('https://example.com', '{x}', '', 'me')`,
    /registerWebhook/,
  ],
  [
    `INSERT INTO services.webhook_events (type, data, created_at) VALUES ('deposit.credited', '{}', now())`,
    /queue_webhooks/,
  ],
  [`UPDATE services.webhook_deliveries SET status = 'DELIVERED', due_at = NULL`, /finish_webhook/],
];

test.for(WRITES)('%s is refused, with the function to call', async ([text, hint]) => {
  await expect(sql(text)).rejects.toMatchObject({ code: 'DF003', hint: expect.stringMatching(hint) });
});

test.for(['DELETE FROM services.api_keys', 'TRUNCATE services.api_keys'])('%s is refused', async (text) => {
  await expect(sql(text)).rejects.toMatchObject({ code: 'DF001' });
});

test("Prisma's models cannot write them either", async () => {
  const { prisma } = database.db;
  const id = await queueOne(database.db);
  const writing = await Promise.allSettled([
    prisma.request.create({ data: { idempotencyKey: 'k', digest: 'd', outcome: 'REFUSED', reason: 'x' } }),
    prisma.mpesaLog.create({ data: { mpesaReceipt: 'UH4SP1L7W6', amount: '1.00' } }),
    prisma.smsLog.update({ where: { id }, data: { recipient: '254700000666' } }),
    prisma.smsLog.updateMany({ data: { status: 'PENDING', phase: 'QUEUED' } }),
    prisma.apiKey.create({ data: { name: 'me', keyHash: 'x', scopes: ['admin'] } }),
  ]);
  expect(writing.map(({ status }) => status)).toEqual(writing.map(() => 'rejected'));
});

test('a receipt and a key can be used after a failed attempt to write them by hand', async () => {
  const [from, to] = [await openFunded(database, '10.00'), await openFunded(database, '10.00')];
  const request = sampleTransfer({ from, to, amount: '1.00' });
  const receipt = newReceipt();
  await sql(`INSERT INTO services.mpesa_logs (mpesa_receipt, amount) VALUES ($1, 1)`, [receipt]).catch(
    () => 0,
  );
  await sql(
    `INSERT INTO core.requests (idempotency_key, digest, outcome, reason) VALUES ($1, 'd', 'REFUSED', 'x')`,
    [request.idempotencyKey],
  ).catch(() => 0);
  expect(await recordDeposit(database.db, sampleDeposit({ receipt, account: to }))).toMatchObject({
    outcome: 'credited',
  });
  expect(await transfer(database.db, request)).toMatchObject({ replayed: false });
});

test('a message that was sent is not sent again by an UPDATE', async () => {
  await drain(sql);
  const message = await claimNew(database.db);
  await settleSms(database.db, [accepted(message)]);
  const again = sql(`UPDATE services.sms_logs SET status = 'PENDING', phase = 'QUEUED' WHERE id = $1`, [
    message.id,
  ]);
  await expect(again).rejects.toMatchObject({ code: 'DF003' });
  const { messages } = await claimSms(database.db, {
    sender: 's',
    provider: 'at',
    limit: 10,
    leaseMs: 60_000,
    maxAgeMs: 60_000,
  });
  expect(messages).toEqual([]);
});

test('code that knows the specified columns of an SMS only goes on writing them', async () => {
  const [written] = await sql(
    `INSERT INTO services.sms_logs (recipient, message, cost, status, provider_message_id)
     VALUES ('254712345678', 'x', 0.8, 'SENT', 'ATXid_old') RETURNING phase`,
  );
  expect(written).toEqual({ phase: 'DONE' });
});

test('the door is closed behind every function that writes', async () => {
  const from = await openFunded(database, '10.00');
  const calls: readonly (readonly [string, readonly unknown[]])[] = [
    [`SELECT core.open_wallet('CLOSES', 'Achieng', NULL, 'KES', 'en', $1, 'd')`, [newKey()]],
    [`SELECT core.change_wallet($1, 'Otieno', NULL, NULL, 'x')`, [from]],
    [`SELECT core.set_wallet_floor($1, 1, 'x')`, [from]],
    [`SELECT core.set_wallet_status($1, 'FROZEN', 'x')`, [from]],
    [`SELECT core.refuse_request($1, 'd', 'x')`, [newKey()]],
    [`SELECT core.place_hold($1, 'd', $2, 1, NULL, NULL)`, [newKey(), await openFunded(database, '5.00')]],
    [`SELECT services.store_callback('API', NULL, 'FAILED', NULL, NULL, '')`, []],
    [`SELECT services.create_api_key('x', md5(random()::text), '{read}')`, []],
    [`SELECT services.revoke_api_key(core.new_id())`, []],
    [`SELECT services.record_opt_out('254700000009')`, []],
    [`SELECT services.forget_opt_out('254700000009')`, []],
    [`SELECT services.expire_sms_leases(1)`, []],
    [`SELECT services.claim_sms('s', 'at', 1, 60000, 86400000, NULL, NULL)`, []],
    [
      `SELECT services.record_delivery_report('at', 'x', 'delivered', 'ok', NULL, NULL, NULL, NULL, NULL, '')`,
      [],
    ],
    [`SELECT core.backfill_hashes(1)`, []],
  ];
  for (const [text, values] of calls) {
    await sql('BEGIN');
    await sql(text, values);
    expect([text, await valueOf(sql, `SELECT current_setting('daftari.door')`)]).toEqual([text, '']);
    await sql('COMMIT');
  }
});

test('through the backfill a missing hash is filled in with the right one, and nothing else changes', async () => {
  const receipt = newReceipt();
  await recordDeposit(database.db, sampleDeposit({ receipt }));
  const edit = (change: string) =>
    sql(`UPDATE core.transactions SET ${change} WHERE reference = $1`, [receipt]);
  await sql(`SELECT set_config('daftari.door', 'backfill', false)`);
  try {
    for (const change of [
      `amount = 1`,
      `verification_hash = repeat('0', 64)`,
      `verification_hash = NULL`,
      `narrative = 'x'`,
    ])
      await expect(edit(change)).rejects.toMatchObject({ code: 'DF001' });
    await sql('ALTER TABLE core.transactions DISABLE TRIGGER USER');
    await edit('verification_hash = NULL');
    await sql('ALTER TABLE core.transactions ENABLE TRIGGER USER');
    const right = 'core.verification_hash(reference, amount, created_at)';
    for (const change of [
      `verification_hash = repeat('0', 64)`,
      `verification_hash = ${right}, created_at = created_at + interval '1 day'`,
      `verification_hash = ${right}, credit_wallet_id = 'FEES'`,
      `verification_hash = ${right}, id = core.new_id()`,
      `amount = amount`,
    ])
      await expect(edit(change)).rejects.toMatchObject({ code: 'DF001' });
    await edit(`verification_hash = ${right}`);
  } finally {
    await sql(`SELECT set_config('daftari.door', '', false)`);
  }
});

test('with the door open for money the ledger is still closed to edits', async () => {
  const editing = throughDoor(sql, 'UPDATE core.transactions SET amount = 1');
  await expect(editing).rejects.toMatchObject({ code: 'DF001' });
});
