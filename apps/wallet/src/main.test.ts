import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { newSigningKey } from '@repo/receipts';
import { expect, onTestFinished, test } from 'vitest';
import { endProcess, spawnService, startProcess } from './testing/processes.ts';
import { posting, send } from './testing.ts';

const COMPLETE = {
  DATABASE_URL: 'postgresql://nobody:hunter2@127.0.0.1:1/none',
  // Long enough for production.
  API_KEY: 'q8Zr2mVt5LxWc1Yh7PbKd4NsJf9Gu3Ea',
  ISSUER_NAME: 'Mwananchi Sacco',
  ISSUER_CONTACT: '0700 000 000',
};

/** Runs the service with an environment in which it cannot start, to its end. */
async function runToEnd(env: Record<string, string>) {
  const child = spawnService(env, 'pipe');
  if (child.stdout === null || child.stderr === null) throw new Error('the process has no output');
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { out, err, code: code as number };
}

test('without its settings it ends with 78 and one message that names each of them', async () => {
  const { out, err, code } = await runToEnd({ NODE_ENV: 'production', WALLET_PORT: '0' });
  expect(code).toBe(78);
  expect(out).toBe('');
  for (const name of ['DATABASE_URL', 'API_KEY', 'RECEIPT_KEYS', 'ISSUER_NAME', 'ISSUER_CONTACT']) {
    expect(err).toMatch(new RegExp(`${name} +is not set: `));
  }
  expect(err).not.toMatch(/^\s+at /m);
});

test('with signing keys that cannot be used it ends with 78, says why and repeats nothing of them', async () => {
  const { d, ...half } = await newSigningKey();
  for (const keys of [JSON.stringify({ keys: [half] }), `{"keys":"${d}"`, '/nowhere/keys.json']) {
    const { out, err, code } = await runToEnd({ ...COMPLETE, NODE_ENV: 'production', RECEIPT_KEYS: keys });
    expect(code).toBe(78);
    expect(out).toBe('');
    expect(err).toContain('RECEIPT_KEYS  is not valid: ');
    expect(err).not.toContain(d);
    expect(err).not.toMatch(/^\s+at /m);
  }
});

test('without its database it says so, answers 503, and ends in order', async () => {
  const { child, url, log } = await startProcess(COMPLETE, 'the database cannot be used yet');
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  expect(log).toContain('RECEIPT_KEYS is not set');
  expect(log).toContain('database_unavailable');
  expect(log).not.toContain('hunter2');
  expect((await fetch(`${url}/health/live`)).status).toBe(200);
  expect((await fetch(`${url}/health/ready`)).status).toBe(503);
  const key = COMPLETE.API_KEY;
  const transfer = posting({ from: '1000000000', to: '1000000001', amount: '1.00' });
  const answers = [
    await send(url, '/transfers', { ...transfer, key }),
    await send(url, '/wallets/1000000000', { key }),
    await send(url, '/wallets/1000000000', { key: 'another-key' }),
    await send(url, '/verify/DF-000000000000/0', { key: null }),
  ];
  for (const answer of answers) {
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(await answer.json()).toMatchObject({ code: 'unavailable' });
  }
  expect(await endProcess(child)).toEqual([0, null]);
});

test('in production with its keys it publishes them and warns when nobody could follow its links', async () => {
  const key = await newSigningKey();
  const { child, url, log } = await startProcess(
    { ...COMPLETE, NODE_ENV: 'production', RECEIPT_KEYS: JSON.stringify({ keys: [key] }) },
    'Server listening at',
  );
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  expect(log).toContain('PUBLIC_URL is not set');
  expect(log).not.toContain('RECEIPT_KEYS is not set');
  const published = await (await fetch(`${url}/.well-known/jwks.json`)).text();
  expect(published).toContain(key.kid);
  expect(published).not.toContain(key.d);
  expect(await endProcess(child, 'SIGINT')).toEqual([0, null]);
});

test('on a port that is taken it ends with 1 and says what to set', async () => {
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { out, code } = await runToEnd({ ...COMPLETE, WALLET_PORT: String(port) });
  other.close();
  expect(code).toBe(1);
  expect(out).toContain('set HOST and WALLET_PORT');
  expect(out).toContain('EADDRINUSE');
  expect(out).not.toContain('hunter2');
});
