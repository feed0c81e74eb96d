import { inspect } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ScrubbedCause, databaseCode, isTransient, toDaftariError } from './database-error.ts';
import { storeCallback } from '../deposits/inbox.ts';
import { createDb } from './db.ts';
import type { Db } from './db.ts';
import type { Handle } from './handle.ts';
import { createDepositIntake } from '../deposits/deposit-intake.ts';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { DaftariError } from '../errors.ts';
import { Prisma } from '../generated/client.ts';
import { transaction } from './transaction.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { newPhone, openCustomer } from '../testing/database/wallet-fixtures.ts';
import { verificationHash } from '../ledger/verification-hash.ts';
import { openWallet } from '../wallets/wallets.ts';

const database = useTestDb();

/** Everything that a logger could make of an error, whatever it looks at. */
function everythingOf(error: unknown): string {
  const own = error instanceof Error ? Object.getOwnPropertyNames(error) : [];
  const stack = error instanceof Error ? error.stack : '';
  return [
    String(error),
    stack,
    JSON.stringify(error),
    JSON.stringify(error, own),
    inspect(error, { depth: 9, showHidden: true, maxStringLength: null, maxArrayLength: null }),
  ].join('\n');
}

async function errorOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return expect.fail('it was meant to fail');
}

/** A database that is closed at the end of the block. */
function closing(db: Db): Db & AsyncDisposable {
  return { ...db, [Symbol.asyncDispose]: () => db.close() };
}

const run = (tx: Handle, text: string, ...values: string[]) =>
  tx.run({ name: `test ${text}`.slice(0, 60), text }, values);
/** From here to the end of the transaction the guards let everything through, as far as the constraints. */
const openDoor = (tx: Handle) => run(tx, `SELECT set_config('daftari.door', 'open', true)`);
const inTransaction = (work: (tx: Handle) => Promise<unknown>) => () => transaction(database.db, work);

/** Ways to make the package fail with somebody's data in its hands. */
const FAILURES: Readonly<Record<string, (secret: string) => unknown>> = {
  'a body that is no JSON': (secret) =>
    recordDeposit(database.db, sampleDeposit({ body: Buffer.from(secret) })),
  'a payload that is no JSON': (secret) =>
    recordDeposit(database.db, sampleDeposit({ payload: `{"a": ${secret}}` })),
  'a poisonous deposit in the intake': (secret) =>
    createDepositIntake(database.db).record(
      sampleDeposit({ payload: secret, name: secret, account: secret }),
    ),
  'a poisonous deposit in a transaction': (secret) =>
    inTransaction((tx) => recordDeposit(tx, sampleDeposit({ payload: secret, name: secret })))(),
  'an amount': (secret) => recordDeposit(database.db, sampleDeposit({ amount: secret })),
  'a receipt with a space': (secret) => recordDeposit(database.db, sampleDeposit({ receipt: ` ${secret}` })),
  'a name with NUL': (secret) => recordDeposit(database.db, sampleDeposit({ name: `${secret}\0` })),
  'a phone that is too long': (secret) =>
    recordDeposit(database.db, sampleDeposit({ phone: secret.padEnd(21, '0') })),
  'a wallet with a wrong phone': (secret) => openWallet(database.db, { holderName: secret, phone: secret }),
  'a wallet with a long name': (secret) =>
    openWallet(database.db, { holderName: secret.repeat(50), phone: newPhone() }),
  'a number that is taken': async (secret) => {
    const number = secret.trim().slice(0, 20).trim();
    await openCustomer(database.db, { number }).catch(() => undefined);
    await openWallet(database.db, { holderName: secret, phone: newPhone(), number });
  },
  'a reference for a hash': (secret) =>
    verificationHash({ reference: `${secret}\0`, amount: '1', createdAt: new Date() }),
  'an inbox row that does not fit': (secret) =>
    storeCallback(database.db, {
      kind: 'API',
      outcome: 'FAILED',
      error: secret,
      source: secret.padEnd(65, '0'),
      receipt: secret.padEnd(51, '0'),
      body: Buffer.from(secret),
    }),
  'a value of the wrong type in SQL': (secret) =>
    inTransaction((tx) => run(tx, 'SELECT $1::text::int', secret))(),
  'a value of the wrong type outside a transaction': (secret) =>
    run(database.db, 'SELECT $1::text::timestamp', secret),
  'an exception that quotes': (secret) =>
    inTransaction((tx) => run(tx, `SELECT $1::text::regclass::text`, secret))(),
  'a statement that cannot be read': (secret) => run(database.db, `SELECT '${secret}' FROM FROM`),
  'a CHECK with the failing row': (secret) =>
    inTransaction(async (tx) => {
      const id = await openCustomer(tx);
      await openDoor(tx);
      await tx.prisma.wallet.update({
        where: { id },
        data: { holderName: secret, phone: secret.slice(0, 20) },
      });
    })(),
  'a model with a value of the wrong kind': (secret) =>
    inTransaction(async (tx) => {
      await openDoor(tx);
      await tx.prisma.wallet.create({
        data: { id: secret.slice(0, 20), holderName: secret, balance: secret },
      });
    })(),
  'a model with a repeated key': (secret) =>
    inTransaction(async (tx) => {
      const data = { id: secret.slice(0, 20), holderName: secret };
      await openDoor(tx);
      await tx.prisma.wallet.create({ data });
      await tx.prisma.wallet.create({ data });
    })(),
  'a model with text that does not fit': (secret) =>
    inTransaction(async (tx) => {
      await openDoor(tx);
      await tx.prisma.wallet.create({ data: { id: secret.repeat(3), holderName: secret } });
    })(),
  'an edit that the guards refuse': (secret) =>
    inTransaction((tx) =>
      tx.prisma.wallet.create({
        data: { id: secret.slice(0, 20), holderName: secret, balance: new Prisma.Decimal(5) },
      }),
    )(),
  'an error that was swallowed': (secret) =>
    inTransaction((tx) => run(tx, 'SELECT $1::text::int', secret).catch(() => undefined))(),
  'a user and a password that are wrong': async (secret) => {
    const url = new URL(database.url);
    url.username = encodeURIComponent(secret);
    url.password = encodeURIComponent(secret);
    await using db = closing(createDb({ url: url.href }));
    await recordDeposit(db, sampleDeposit());
  },
  'a database that is not there': async (secret) => {
    const url = new URL(database.url);
    url.pathname = encodeURIComponent(secret);
    await using db = closing(createDb({ url: url.href }));
    await transaction(db, (tx) => recordDeposit(tx, sampleDeposit()));
  },
};

// The secret also pretends to be a line of a stack, and sits between quotes, brackets and line breaks.
const secrets = fc
  .record({
    text: fc.stringMatching(/^[A-Z]{12}$/),
    dress: fc.constantFrom<(text: string) => string>(
      (text) => text,
      (text) => `${text}\n    at ${text} (${text})`,
      (text) => `"${text}"), (${text}`,
    ),
  })
  .map(({ text, dress }) => ({ text, secret: dress(text) }));

test.for(Object.keys(FAILURES))(
  '%s: the error is of the catalogue and shows no personal data',
  async (name) => {
    await fc.assert(
      fc.asyncProperty(secrets, async ({ text, secret }) => {
        const error = await errorOf(() => FAILURES[name]?.(secret));
        expect(error).toBeInstanceOf(DaftariError);
        const told = everythingOf(error);
        expect(told).not.toContain(text);
        expect(told).not.toContain(text.toLowerCase());
      }),
      { numRuns: 4, examples: [[{ text: 'MARKERMARKER', secret: 'x\n    at MARKERMARKER' }]] },
    );
  },
);

test('the error inside a transaction shows no personal data to the work either', async () => {
  const seen: unknown[] = [];
  const failing = inTransaction(async (tx) => {
    await run(tx, 'SELECT $1::text::int', 'MARKER').catch((error: unknown) => {
      seen.push(error);
      throw error;
    });
  });
  await errorOf(failing);
  expect(seen.map(everythingOf).join('')).toContain('22P02');
  expect(seen.map(everythingOf).join('')).not.toContain('MARKER');
});

test('what is reported of a database error is enough to find it: SQLSTATE, table, constraint, the place in the code', async () => {
  const error = await errorOf(() =>
    run(database.db, `INSERT INTO services.sms_logs (message, status) VALUES ('x', 'LOST') RETURNING id`),
  );
  const cause = error instanceof DaftariError ? error.cause : undefined;
  expect(cause).toMatchObject({ code: '23514', table: 'sms_logs', constraint: 'sms_logs_status_check' });
  expect((error as Error).stack).toContain('database-error.test.ts');
});

test('a message that its stack no longer begins with gives no frames at all', () => {
  const source = new Error('first');
  source.message = 'SECRET was put in later';
  source.stack = 'Error: something else\n    at SECRET (file.ts:1:1)';
  expect(everythingOf(new ScrubbedCause(source, null))).not.toContain('SECRET');
});

test('an error of the catalogue stays the object that it is', () => {
  const error = new DaftariError('queue_full');
  expect(toDaftariError(error)).toBe(error);
});

test.for([['a string'], [undefined], [null], [{ code: '40001' }]])(
  '%j as an error is of the catalogue too',
  ([thrown]) => {
    expect(toDaftariError(thrown)).toMatchObject({ code: 'database_error' });
  },
);

test.for([
  ['a deadlock of pg', Object.assign(new Error('x'), { code: '40P01' }), true],
  ['a serialization failure of pg', Object.assign(new Error('x'), { code: '40001' }), true],
  [
    'a deadlock that is scrubbed already',
    toDaftariError(Object.assign(new Error('x'), { code: '40P01' })),
    true,
  ],
  ['a repeated key', Object.assign(new Error('x'), { code: '23505' }), false],
  [
    'a race for a key of a shard',
    Object.assign(new Error('x'), { code: '23505', constraint: 'requests_pkey_102008' }),
    true,
  ],
  ['a statement that took too long', toDaftariError(Object.assign(new Error('x'), { code: '57014' })), false],
  ['an error of the catalogue', new DaftariError('database_busy'), false],
  ['no error', 'x', false],
] as const)('whether %s is worth another try', ([, error, expected]) => {
  expect(isTransient(error)).toBe(expected);
});

test('of several addresses that all refused the first gives the code', () => {
  const refused = Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
  expect(databaseCode(new AggregateError([refused, new Error('y')]))).toBe('ECONNREFUSED');
});

/** What one node says of another that it has lost, as Citus 13.2 words it. */
const LOST_NODES = [
  { code: '08006', message: 'connection to the remote node 127.0.0.1:5432 failed' },
  { code: '08001', message: 'could not connect to server' },
  { code: 'XX000', message: 'failure on connection marked as essential: 127.0.0.1:5432' },
  { code: 'XX000', message: 'postmaster was shut down, exiting' },
];

test.each(LOST_NODES)(
  'a node that lost another ($code, $message) leaves the outcome unknown',
  async (lost) => {
    const raise = `DO $$ BEGIN RAISE EXCEPTION '${lost.message}' USING ERRCODE = '${lost.code}'; END $$`;
    expect(await errorOf(inTransaction((tx) => run(tx, raise)))).toMatchObject({ code: 'outcome_unknown' });
  },
);

test('an internal error of the server itself does not mean that a node was lost', async () => {
  const raise = `DO $$ BEGIN RAISE EXCEPTION 'cache lookup failed' USING ERRCODE = 'XX000'; END $$`;
  expect(await errorOf(inTransaction((tx) => run(tx, raise)))).toMatchObject({ code: 'database_error' });
});
