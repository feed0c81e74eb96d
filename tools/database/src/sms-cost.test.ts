import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { expect, it } from 'vitest';
import { runCommandInThread } from './fixtures/run-command.ts';

/** Two deposits and a campaign that were charged, and a message that waits, on two days in Nairobi. */
const MESSAGES = `
INSERT INTO services.sms_logs (recipient, message, status, template, cost, currency, parts, expected_parts, created_at)
VALUES ('254700000001', 'x', 'SENT', 'deposit', 0.8, 'KES', 1, 1, '2026-03-01T20:59:59'),
       ('254700000001', 'x', 'SENT', 'deposit', 0.8001, 'KES', 1, 1, '2026-03-01T21:00:00'),
       ('254700000001', 'x', 'SENT', 'campaign', 12.4, 'KES', 3, 2, '2026-03-02T09:00:00'),
       ('254700000001', 'x', 'PENDING', 'deposit', NULL, NULL, NULL, NULL, '2026-03-02T09:00:00')`;

it('sms:cost prints a table with totals and with what nobody was charged for', async () => {
  await using database = await createTestDatabase();
  await execute(database.url, MESSAGES);
  const { exitCode, stdout } = await runCommandInThread('sms-cost', database.url, [
    '--from',
    '2026-03-01',
    '--to',
    '2026-03-02',
  ]);
  expect(exitCode).toBe(0);
  expect(stdout.trimEnd().split('\n')).toEqual([
    'SMS queued from 2026-02-28T21:00:00.000Z to 2026-03-02T21:00:00.000Z',
    'day         messages  parts  expected     cost  currency',
    '2026-03-01         1      1         1   0.8000  KES',
    '2026-03-02         2      4         3  13.2001  KES',
    '2026-03-02         1                      none',
    'total              3      5         4  14.0001  KES',
  ]);
});

it('sms:cost --csv prints nothing but the rows', async () => {
  await using database = await createTestDatabase();
  await execute(database.url, MESSAGES);
  const { exitCode, stdout } = await runCommandInThread('sms-cost', database.url, [
    '--from',
    '2026-03-01',
    '--to',
    '2026-03-02',
    '--by',
    'template',
    '--csv',
  ]);
  expect({ exitCode, stdout }).toEqual({
    exitCode: 0,
    stdout:
      'key,messages,parts,expected_parts,cost,currency\r\n' +
      'campaign,1,3,2,12.4000,KES\r\ndeposit,2,2,2,1.6001,KES\r\ndeposit,1,,,,\r\n',
  });
});

it.each([
  { args: ['--by', 'colour'], expected: '--by is one of day, status, network, template', code: 2 },
  { args: ['--from', 'yesterday'], expected: '--from cannot be used', code: 2 },
])('sms:cost $args says what is wrong and exits with $code', async ({ args, expected, code }) => {
  await using database = await createTestDatabase();
  const { exitCode, stdout, stderr } = await runCommandInThread('sms-cost', database.url, args);
  expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' });
  expect(stderr).toContain(expected);
  expect(stderr).not.toContain('    at ');
});
