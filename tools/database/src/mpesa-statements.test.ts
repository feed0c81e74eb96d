import { createTestDatabase } from '@repo/postgres/testing';
import { statementFile } from '@repo/statements/testing/statement-file';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import { temporaryFile } from '@repo/testing/temporary-file';
import { expect, it } from 'vitest';
import { runCommandInThread } from './fixtures/run-command.ts';

const BOOK: readonly BookEntry[] = [
  { receipt: 'TC15P1KAF6', at: Date.UTC(2026, 2, 1, 9), what: 'payment', cents: 1_500_00n },
  { receipt: 'TC15P1KAF6', at: Date.UTC(2026, 2, 1, 9), what: 'charge', cents: 8_00n },
];

/** Where no server is: what is refused is refused before the database is asked. */
const NOWHERE = 'postgresql://127.0.0.1:1/none';

const DAY = ['--short-code', '600123', '--from', '2026-03-01', '--to', '2026-03-01'];

it('a statement is imported, reconciled and healed from the command line', async () => {
  await using database = await createTestDatabase();
  await using file = await temporaryFile(await statementFile(BOOK, { form: 'B' }));
  const imported = await runCommandInThread('mpesa-import', database.url, [
    file.path,
    '--short-code',
    '600123',
  ]);
  expect(imported).toMatchObject({ exitCode: 0, stderr: '' });
  expect(imported.stdout).toContain('2 rows: 2 new lines, 0 that were there, 0 skipped');
  const open = await runCommandInThread('mpesa-reconcile', database.url, [...DAY, '--format', 'csv']);
  expect(open).toMatchObject({ exitCode: 1, stderr: '' });
  expect(open.stdout).toMatch(
    /^state,side,reference,.*\r\nmissing_here,statement,TC15P1KAF6,payment,1500\.00,/,
  );
  const healed = await runCommandInThread('mpesa-reconcile', database.url, [...DAY, '--heal']);
  expect(healed).toMatchObject({ exitCode: 0, stderr: 'Payments credited: 1\n' });
  expect(healed.stdout).toContain('Nothing is open.');
  const json = await runCommandInThread('mpesa-reconcile', database.url, [...DAY, '--format', 'json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ totals: { matched: { lines: 1, amount: '1500.00' } } });
});

it('a day is closed when its totals agree or are itemised, and reopened with a reason', async () => {
  await using database = await createTestDatabase();
  await using file = await temporaryFile(
    await statementFile(BOOK, { form: 'A', opening: 10_00n, shortCode: '600123' }),
  );
  await runCommandInThread('mpesa-import', database.url, [file.path]);
  const open = await runCommandInThread('mpesa-close', database.url, DAY);
  expect(open).toMatchObject({ exitCode: 1, stdout: '' });
  expect(open.stderr).toContain('M-PESA holds 1502.00 and the ledger says 0.00');
  await runCommandInThread('mpesa-reconcile', database.url, [...DAY, '--heal']);
  const items = [{ control: 'float', amount: '10.00', note: 'held before the ledger began' }];
  await using itemised = await temporaryFile(JSON.stringify(items));
  const closed = await runCommandInThread('mpesa-close', database.url, [...DAY, '--items', itemised.path]);
  expect(closed).toMatchObject({ exitCode: 0, stderr: '' });
  expect(closed.stdout).toContain('M-PESA held 1502.00, our ledger says 1492.00; 1 items');
  const id = /^Period (\S+) /.exec(closed.stdout)?.[1] ?? '';
  const again = ['--reopen', id, '--reason', 'a file was missing'];
  expect(await runCommandInThread('mpesa-close', database.url, again)).toMatchObject({ exitCode: 0 });
  expect(await runCommandInThread('mpesa-close', database.url, again)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('is not closed'),
  });
});

it.each([
  { command: 'mpesa-close', args: DAY.slice(2), code: 2, says: '--short-code' },
  { command: 'mpesa-close', args: ['--reopen', 'x'], code: 2, says: '--reason' },
  { command: 'mpesa-close', args: [...DAY, '--items', '/no/such/file'], code: 2, says: 'cannot be read' },
  { command: 'mpesa-import', args: [], code: 2, says: 'Name the file' },
  { command: 'mpesa-import', args: ['/no/such/file'], code: 2, says: '/no/such/file cannot be read' },
  { command: 'mpesa-reconcile', args: DAY.slice(2), code: 2, says: '--short-code' },
  { command: 'mpesa-reconcile', args: [...DAY, '--from', 'x'], code: 2, says: '--from cannot be used' },
  { command: 'mpesa-reconcile', args: [...DAY, '--format', 'pdf'], code: 2, says: '--format' },
])('$command $args exits with $code and says what is wrong', async ({ command, args, code, says }) => {
  const { exitCode, stdout, stderr } = await runCommandInThread(command, NOWHERE, args);
  expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' });
  expect(stderr).toContain(says);
});
