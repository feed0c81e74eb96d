import { readStatement } from '@repo/statements';
import type { StatementLine } from '@repo/statements';
import { temporaryFile } from '@repo/testing/temporary-file';
import { expect, test } from 'vitest';
import { centsOf } from './cents.ts';
import { startForTest } from './testing.ts';

const STYLES = (['A', 'B', 'C'] as const).flatMap((form) =>
  (['csv', 'xlsx', 'xlsx-shared'] as const).map((file) => ({ form, file })),
);

test.each(STYLES)('the statement shows what the book has: form $form as $file', async (style) => {
  const daraja = await startForTest({ charge: 55, openingBalance: '10.00', till: '600101' });
  const first = await daraja.pay({ account: 'GV A2', amount: '1500.50', phone: '254700000126' });
  await daraja.pay({ account: 'GV A2', amount: '99.99', fails: true });
  await daraja.pay({ account: '', amount: '20' });
  await daraja.sweep({ amount: '1000.00' });
  if (!first.isPaid) throw new Error('it was not paid');
  daraja.reverse(first.payment.receipt);
  const book = daraja.book();

  await using file = await temporaryFile(await daraja.statement(style));
  const lines: StatementLine[] = [];
  const summary = await readStatement(file.path, {
    head: ({ form, preamble }) => {
      expect(form).toBe(style.form);
      if (form !== 'C') expect(preamble.shortCode).toBe('600101');
    },
    lines: (more) => void lines.push(...more),
  });
  expect(summary.faults).toEqual([]);
  const oldestFirst = lines.toReversed();
  expect(oldestFirst.map(({ kind, isCompleted }) => (isCompleted ? kind : 'failed'))).toEqual([
    'payment',
    'charge',
    'failed',
    'payment',
    'charge',
    'sweep',
    'reversal',
  ]);
  // 0.55 % of 1500.50 and of 20.00, each rounded up to a cent.
  expect(oldestFirst.map(({ paidIn, withdrawn }) => paidIn - withdrawn)).toEqual([
    150050n,
    -826n,
    9999n,
    2000n,
    -11n,
    -100000n,
    -150050n,
  ]);
  expect(oldestFirst.at(-1)).toMatchObject({ linkedReceipt: first.payment.receipt });
  expect(oldestFirst.at(-1)?.balance).toBe(
    book.balance.startsWith('-') ? -centsOf(book.balance.slice(1)) : centsOf(book.balance),
  );
  expect(summary.balances.breaks).toBe(0);
});
