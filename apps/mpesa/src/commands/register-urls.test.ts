import { startDaraja } from '@repo/simulator';
import type { DarajaOptions, DarajaSimulator } from '@repo/simulator';
import { createTestDatabase } from '@repo/postgres/testing';
import type { TestDatabase } from '@repo/postgres/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SECRETS, commandEnvironment, runCommand } from './testing.ts';

// The access token lies there, of each simulator its own.
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** Runs the command against a Daraja; no line of it may tell a secret. */
async function register(
  daraja: DarajaSimulator,
  {
    args = [],
    callbackUrl = 'https://pay.example.co.ke',
    more = {},
  }: {
    readonly args?: readonly string[];
    readonly callbackUrl?: string;
    readonly more?: Readonly<Record<string, string>>;
  } = {},
) {
  const environment = { ...commandEnvironment(daraja, { databaseUrl: database.url, callbackUrl }), ...more };
  const ran = await runCommand('register-urls', args, environment);
  for (const secret of SECRETS) expect(ran.stdout + ran.stderr).not.toContain(secret);
  return ran;
}

async function start(options: DarajaOptions = {}): Promise<DarajaSimulator> {
  return startDaraja({ isProduction: true, ...options });
}

const PATH = '/mpesa/c2b/v2/registerurl';

it('the URLs are registered, and it says which, without the token', async () => {
  await using daraja = await start();
  const { code, stdout, stderr } = await register(daraja);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('short code    600100');
  expect(stdout).toContain('https://pay.example.co.ke/c2b/<MPESA_CALLBACK_TOKEN>/confirmation');
  expect(stdout).toMatch(/Registered; M-PESA calls the request \d{5}-0-1\./);
});

it('elsewhere than in production plain HTTP is taken, and payments are then reported there', async () => {
  await using daraja = await startDaraja();
  // Nobody listens there: the simulator tries all the same, and its book says so.
  expect(await register(daraja, { callbackUrl: 'http://127.0.0.1:9' })).toMatchObject({ code: 0 });
  await daraja.pay({ account: '1000000009', amount: '10' });
  await daraja.settled();
  const [paid] = daraja.book().payments;
  expect(paid?.events).toMatchObject([{ kind: 'confirmation', copies: 1 }]);
});

it('a second registration is explained, and is no failure', async () => {
  await using daraja = await start();
  await register(daraja);
  const { code, stdout } = await register(daraja);
  expect(code).toBe(0);
  expect(stdout).toMatch(/already and keeps it[^]*URL management/);
});

it('production does not take plain HTTP, and M-PESA is not asked', async () => {
  await using daraja = await start();
  const strong = { NODE_ENV: 'production', API_KEY: 'k3Yq9mZ1xWv7bN4cT8rL2pS6dF0gH5jA' };
  const { code, stdout, stderr } = await register(daraja, {
    callbackUrl: 'http://pay.example.co.ke',
    more: strong,
  });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('HTTPS only');
  expect(daraja.requests()).toEqual({});
});

it('a dry run shows what would be registered, and asks nobody', async () => {
  await using daraja = await start();
  const { code, stdout } = await register(daraja, { args: ['--dry-run', '--response-type', 'Cancelled'] });
  expect(code).toBe(0);
  expect(stdout).toMatch(/no answer +Cancelled[^]*Nothing was registered/);
  expect(daraja.requests()).toEqual({});
});

it('what M-PESA refuses is said in its words and ours', async () => {
  await using daraja = await start();
  const { code, stderr } = await register(daraja, { args: ['--short-code', '600999'] });
  expect(code).toBe(1);
  expect(stderr).toMatch(/400\.002\.02 Bad Request - Invalid ShortCode[^]*belongs to the app/);
});

it('wrong credentials register nothing', async () => {
  await using daraja = await start({ consumerSecret: 'another-secret' });
  const { code, stderr } = await register(daraja);
  expect(code).toBe(1);
  expect(stderr).toContain('mpesa:doctor');
  expect(daraja.requests()[PATH]).toBeUndefined();
});

it('an answer that is lost may have registered them, and a repeat says what is so', async () => {
  let isLost = true;
  await using daraja = await start({ fault: ({ path }) => (isLost && path === PATH ? 'lost-after' : null) });
  const lost = await register(daraja);
  expect(lost).toMatchObject({ code: 1, stderr: expect.stringContaining('may be registered') as string });
  isLost = false;
  expect(await register(daraja)).toMatchObject({ code: 0 });
});

it('the short code is registered for the Pull API when a number is given', async () => {
  await using daraja = await start();
  const { code, stdout } = await register(daraja, { args: ['--pull', '0700000126'] });
  expect(code).toBe(0);
  expect(stdout).toMatch(/Pull API:\nRegistered/);
});

it.each([
  { args: ['--response-type', 'completed'], more: {}, says: 'spelt exactly so' },
  { args: [], more: { DARAJA_PASSKEY: '', MPESA_CALLBACK_TOKEN: '' }, says: 'MPESA_CALLBACK_TOKEN' },
  { args: [], more: { DARAJA_CALLBACK_URL: '' }, says: 'DARAJA_CALLBACK_URL' },
])('$args with $more exits with 2 and says what is wrong', async ({ args, more, says }) => {
  await using daraja = await start();
  const { code, stdout, stderr } = await register(daraja, { args, more });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(says);
  expect(daraja.requests()).toEqual({});
});
