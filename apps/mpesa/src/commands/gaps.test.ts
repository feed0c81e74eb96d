import { startDaraja } from '@repo/simulator';
import { createTestDatabase } from '@repo/postgres/testing';
import { expect, it } from 'vitest';
import { commandEnvironment, runCommand } from './testing.ts';

it('what M-PESA has and the ledger lacks is found, credited and then no gap any more', async () => {
  await using database = await createTestDatabase();
  await using daraja = await startDaraja({ now: () => new Date(Date.now() - 600_000) });
  const environment = commandEnvironment(daraja, {
    databaseUrl: database.url,
    callbackUrl: 'http://127.0.0.1:9',
  });
  const run = (args: readonly string[]) => runCommand('gaps', args, environment);
  expect(await run(['--pull'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('mpesa:register-urls --pull') as string,
  });
  await runCommand('register-urls', ['--pull', '0700000126'], environment);
  await daraja.pay({ account: '1000000009', amount: '40', confirmation: { copies: 0 } });
  await daraja.settled();
  const found = await run(['--pull']);
  expect(found).toMatchObject({ code: 1, stderr: '' });
  expect(found.stdout).toMatch(/1 of them were missing[^]* 40\.00 .*credit it with --heal/);
  const healed = await run(['--pull', '--heal', '--format', 'json']);
  expect(healed.code).toBe(0);
  expect(JSON.parse(healed.stdout)).toMatchObject({
    gaps: [{ kind: 'missed_callback', amount: '40.00' }],
    pulled: { missing: [{ amount: '40.00', outcome: 'suspense' }] },
  });
});
