import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { claimSms, createDb, createSmsSettler, recordDeposits } from '@repo/db';
import type { Db, Deposit } from '@repo/db';
import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../lib/program.ts';
import { openWallets } from './databases.ts';
import { createCustomers } from './payments.ts';
import { preloadDeposits } from './preload.ts';

const run = promisify(execFile);

const COUNT = 3_000;
const BATCH = 500;
const customers = createCustomers(40);
const loaded = await createTestDatabase();
const made = await createTestDatabase();

beforeAll(async () => {
  await openWallets(loaded.url, customers);
  await openWallets(made.url, customers);
  await preloadDeposits(loaded.url, customers, { count: COUNT, chunk: 700 });
});

afterAll(async () => {
  await loaded.drop();
  await made.drop();
});

/** What a command of the repository prints about the loaded database. It fails when the command finds anything. */
async function runCommand(script: string, ...options: string[]): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '', DATABASE_URL: loaded.url };
  const path = join(ROOT, 'tools', 'database', 'src', script);
  const { stdout } = await run(process.execPath, [path, ...options], { cwd: ROOT, env });
  return stdout;
}

/** The payments that were loaded, in the order in which they came. */
async function readDeposits(): Promise<Deposit[]> {
  const rows = await execute(
    loaded.url,
    `SELECT l.mpesa_receipt, l.amount::text AS amount, l.short_code, l.account, l.phone, l.payer_name, c.kind, c.source, c.body,
            (extract(epoch FROM l.paid_at) * 1000)::bigint::text AS paid_at
       FROM services.mpesa_logs l JOIN services.mpesa_callbacks c USING (id)
      ORDER BY l.id`,
  );
  return rows.map((row) => ({
    receipt: String(row['mpesa_receipt']),
    amount: String(row['amount']),
    shortCode: String(row['short_code']),
    account: String(row['account']),
    paidAt: new Date(Number(row['paid_at'])),
    payer: { phone: String(row['phone']), phoneHash: null, name: String(row['payer_name']) },
    callback: {
      kind: 'C2B_CONFIRMATION',
      source: String(row['source']),
      body: row['body'] as Uint8Array,
      payload: null,
    },
  }));
}

/** Sends every message that waits, as a sender with a provider that accepts all. */
async function sendAll(db: Db): Promise<void> {
  const settler = createSmsSettler(db);
  for (;;) {
    const { messages } = await claimSms(db, {
      sender: 'sender-1',
      provider: 'africas-talking',
      limit: 1_000,
      leaseMs: 600_000,
      maxAgeMs: 86_400_000,
    });
    if (messages.length === 0) break;
    await Promise.all(
      messages.map(({ id, attempt }) =>
        settler.settle({
          id,
          attempt,
          outcome: 'accepted',
          providerMessageId: `ATXid_${id}`,
          cost: '0.8000',
          currency: 'KES',
          parts: 1,
          expectedParts: 1,
          encoding: 'GSM-7',
        }),
      ),
    );
  }
  await settler.close();
}

/** Of these columns only whether there is a value is compared: ids and moments, and what is made of them. */
const OWN = {
  'core.transactions': ['id', 'created_at', 'verification_hash', 'xact_id'],
  'services.mpesa_logs': ['id', 'created_at'],
  'services.mpesa_callbacks': ['id', 'received_at'],
  'services.sms_logs': [
    'id',
    'created_at',
    'next_attempt_at',
    'claimed_at',
    'answered_at',
    'sent_at',
    'settled_at',
    'provider_message_id',
  ],
  'core.wallets': ['created_at', 'updated_at'],
} as const;

const KEYS = {
  'core.transactions': 'reference',
  'services.mpesa_logs': 'mpesa_receipt',
  'services.mpesa_callbacks': 'receipt',
  'services.sms_logs': 'transaction_reference',
  'core.wallets': 'id',
} as const;

/** The rows of a table, column by column, in the order of what identifies them. */
async function readRows(url: string, table: keyof typeof OWN): Promise<unknown[]> {
  const own = OWN[table].map((column) => `'${column}', t.${column} IS NOT NULL`);
  return execute(
    url,
    `SELECT (to_jsonb(t) || jsonb_build_object(${own.join(', ')})) AS row FROM ${table} t
      ORDER BY ${KEYS[table]} COLLATE "C"`,
  );
}

test('the audit looks at all that was loaded and finds nothing', async () => {
  const audit = JSON.parse(await runCommand('audit.ts', '--json')) as {
    readonly transactions: number;
    readonly checks: readonly { readonly faults: number }[];
  };
  expect(audit.transactions).toBe(COUNT);
  expect(audit.checks.filter(({ faults }) => faults > 0)).toEqual([]);
});

test('the guards are at work in a database that was loaded', async () => {
  expect(await runCommand('verify.ts')).toContain('Nothing is wrong.');
});

test('each column of each row is what the door writes when the same payments come through it', async () => {
  const db = createDb({ url: made.url });
  try {
    const deposits = await readDeposits();
    for (let first = 0; first < deposits.length; first += BATCH) {
      await recordDeposits(db, deposits.slice(first, first + BATCH));
    }
    await sendAll(db);
  } finally {
    await db.close();
  }
  for (const table of Object.keys(OWN) as (keyof typeof OWN)[]) {
    const rows = await readRows(made.url, table);
    expect(rows.length, table).toBeGreaterThan(0);
    expect(await readRows(loaded.url, table), table).toEqual(rows);
  }
  const spent = 'SELECT sum(messages), sum(parts), sum(cost) FROM services.sms_spend';
  expect(await execute(loaded.url, spent)).toEqual(await execute(made.url, spent));
});

test('some of the payments wait in suspense, and the others reach customers', async () => {
  const rows = await execute(
    loaded.url,
    'SELECT outcome, count(*)::int AS count FROM services.mpesa_logs GROUP BY outcome ORDER BY outcome',
  );
  expect(rows).toEqual([
    { outcome: 'CREDITED', count: (COUNT * 99) / 100 },
    { outcome: 'SUSPENSE', count: COUNT / 100 },
  ]);
});

test('nothing is loaded beside rows that are there', async () => {
  await expect(preloadDeposits(loaded.url, customers, { count: 1 })).rejects.toMatchObject({
    code: 'not_empty',
  });
});
