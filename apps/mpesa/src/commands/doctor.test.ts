import { createTestDatabase } from '@repo/postgres/testing';
import type { DarajaOptions } from '@repo/simulator';
import { startDaraja } from '@repo/simulator';
import { expect, it } from 'vitest';
import { startTestService, TEST_TOKEN } from '../testing.ts';
import { SECRETS, commandEnvironment, runCommand } from './testing.ts';

interface Found {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly text: string;
}

/** Runs the command beside a service and a Daraja, and gives what it found; nothing of it may tell a secret. */
async function examine({
  simulator = {},
  more = {},
  after = () => Promise.resolve(),
}: {
  readonly simulator?: DarajaOptions;
  readonly more?: Readonly<Record<string, string>>;
  readonly after?: (service: { readonly url: string }) => Promise<unknown>;
}) {
  await using daraja = await startDaraja(simulator);
  await using service = await startTestService();
  await after(service);
  const environment = {
    ...commandEnvironment(daraja, { databaseUrl: service.database.url, callbackUrl: service.url }),
    ...more,
  };
  const { code, stdout, stderr } = await runCommand('doctor', ['--format', 'json'], environment);
  expect(stderr).toBe('');
  for (const secret of SECRETS) expect(stdout).not.toContain(secret);
  const found = JSON.parse(stdout) as Found[];
  const requests = daraja.requests();
  const inbox = await service.database.query(
    'SELECT count(*)::integer AS rows FROM services.mpesa_callbacks',
  );
  return {
    code,
    requests,
    inbox,
    stateOf: (check: string) => found.find((each) => each.check === check)?.state,
    textOf: (check: string) =>
      found
        .filter((each) => each.check === check)
        .map(({ text }) => text)
        .join(' '),
  };
}

it('where nothing stands in the way, nothing fails, and nothing is registered or stored', async () => {
  const { code, stateOf, requests, inbox } = await examine({});
  expect(
    ['database', 'token', 'passkey', 'urls', 'reachable', 'sources', 'clock'].map((check) => [
      check,
      stateOf(check),
    ]),
  ).toEqual(
    ['database', 'token', 'passkey', 'urls', 'reachable', 'sources', 'clock'].map((check) => [check, 'ok']),
  );
  expect(code).toBe(0);
  expect(Object.keys(requests).filter((path) => /register|push\/|push$/.test(path))).toEqual([]);
  expect(inbox).toEqual([{ rows: 0 }]);
});

it('credentials that M-PESA does not take are told apart from a M-PESA that is not reached', async () => {
  const wrong = await examine({ simulator: { consumerSecret: 'another' } });
  expect(wrong).toMatchObject({ code: 1 });
  expect([wrong.stateOf('token'), wrong.textOf('token')]).toEqual([
    'failed',
    expect.stringContaining('DARAJA_CONSUMER_SECRET'),
  ]);
  const away = await examine({ more: { DARAJA_BASE_URL: 'http://127.0.0.1:9' } });
  expect([away.stateOf('token'), away.textOf('token')]).toEqual([
    'failed',
    expect.stringContaining('cannot be reached (error ECONNREFUSED)'),
  ]);
});

it('a wrong passkey and a host where another program answers are named', async () => {
  await using other = await startDaraja();
  const { code, stateOf, textOf } = await examine({
    simulator: { passkey: 'another' },
    more: { DARAJA_CALLBACK_URL: other.url },
  });
  expect(code).toBe(1);
  expect([stateOf('passkey'), textOf('passkey')]).toEqual([
    'failed',
    expect.stringContaining('DARAJA_PASSKEY'),
  ]);
  expect([stateOf('reachable'), textOf('reachable')]).toEqual([
    'failed',
    expect.stringContaining('not from the M-PESA service'),
  ]);
});

it('addresses outside the list that have called are named, and what to do about them', async () => {
  const { code, stateOf, textOf } = await examine({
    after: ({ url }) =>
      fetch(`${url}/c2b/${TEST_TOKEN}/confirmation`, { method: 'POST', body: 'no payment' }),
  });
  expect(stateOf('sources')).toBe('warning');
  expect(textOf('sources')).toMatch(/127\.0\.0\.1 \(1\)[^]*TRUST_PROXY/);
  // A warning needs nobody today.
  expect(code).toBe(0);
});

it('a database without the migrations is named, and the rest is looked at all the same', async () => {
  await using empty = await createTestDatabase({ empty: true });
  const { code, stateOf } = await examine({ more: { DATABASE_URL: empty.url } });
  expect([code, stateOf('database'), stateOf('reachable')]).toEqual([1, 'failed', 'ok']);
});
