import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { confirmationOf, createPayment, createRandom, validationOf } from '@repo/simulator';
import { bareEnvironment } from '@repo/testing/env';
import { expect, onTestFinished, test } from 'vitest';
import { startTestService, TEST_TOKEN } from './testing.ts';
import type { TestService } from './testing.ts';

const script = fileURLToPath(new URL('conformance.ts', import.meta.url));

/** A folder with a confirmation, a validation, a broken message and one that is none of its business. */
async function writeSamples(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const payment = createPayment(createRandom('conformance'), {
    amount: '152.00',
    paidAt: new Date('2026-08-04T06:13:30Z'),
  });
  const samples = {
    '1-confirmation': { category: 'c2b-confirmation', raw: JSON.stringify(confirmationOf(payment)) },
    '2-validation': { category: 'c2b-validation', raw: JSON.stringify(validationOf(payment)) },
    '3-broken': { category: 'c2b-confirmation', raw: '{"TransID":' },
    '4-request': { category: 'stk-callback', raw: '{}' },
    '5-other': { category: 'stk-query', raw: '{}' },
  };
  for (const [name, sample] of Object.entries(samples)) {
    await writeFile(join(folder, `${name}.json`), JSON.stringify(sample));
  }
  return folder;
}

async function run(service: TestService, token: string) {
  const options = ['--database', service.database.url, '--url', service.url, '--token', token];
  const child = spawn(process.execPath, [script, await writeSamples(), ...options], {
    env: bareEnvironment(),
  });
  const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { out, code: code as number };
}

test('it posts the messages of a folder and shows what the database says of them', async () => {
  await using service = await startTestService();
  const { out, code } = await run(service, TEST_TOKEN);
  expect(out).toContain('4 messages sent, 0 lost or refused');
  expect(code).toBe(0);
  expect(out).toMatch(/1-confirmation.*SUSPENSE.*152\.00.*2026-08-04T06:13:30Z/);
  expect(out).toMatch(/2-validation.*VALIDATED/);
  expect(out).toMatch(/3-broken.*QUARANTINED \(body_not_json\)/);
  expect(out).toMatch(/4-request.*QUARANTINED \(callback_missing\)/);
});

test('refused messages are reported, and the exit code is 1', async () => {
  await using service = await startTestService();
  const { out, code } = await run(service, 'wrong-token');
  expect(out).toContain('4 messages sent, 4 lost or refused');
  expect(out).toContain('LOST');
  expect(code).toBe(1);
});
