import fc from 'fast-check';
import { expect, test } from 'vitest';
import { temporaryFile } from '@repo/testing/temporary-file';
import { payerPdf } from '../testing/payer-pdf.ts';
import type { PayerEntry, PayerPdfStyle } from '../testing/payer-pdf.ts';
import { readPayerStatement } from './read-payer-statement.ts';

async function read(bytes: Uint8Array | string, password?: string) {
  await using file = await temporaryFile(bytes);
  return await readPayerStatement(file.path, password === undefined ? {} : { password });
}

const AT = Date.UTC(2026, 2, 1, 9, 15, 30);
const ENTRIES: readonly PayerEntry[] = [
  {
    receipt: 'TC15P1KAF6',
    at: AT,
    details: 'Pay Bill Online to 600123 - EXAMPLE TRADERS LIMITED OF MOMBASA ROAD Acc. 4412098848',
    cents: 1_500_00n,
  },
  { receipt: 'TC15P1KAF6', at: AT, details: 'Pay Bill Charge', cents: 8_00n },
  {
    receipt: 'UBSKLMNOPQ',
    at: AT + 60_000,
    details: 'Funds received from 07******11 MADE UP NAME',
    cents: -70_000_00n,
  },
  {
    receipt: 'TC15P1KAF8',
    at: AT + 90_000,
    details: 'Merchant Payment to 123456 - SHOP',
    status: 'Failed',
    cents: 5n,
  },
  {
    receipt: 'TC15P1KAF9',
    at: AT + 99_000,
    details: 'Customer Transfer to 07******22 - CHARGES GITAU',
    cents: 20_00n,
  },
];
const LINES = [
  {
    receipt: 'TC15P1KAF6',
    completedAt: AT,
    kind: 'payment',
    cents: 1_500_00n,
    payee: '600123',
    isCompleted: true,
  },
  { receipt: 'TC15P1KAF6', completedAt: AT, kind: 'charge', cents: 8_00n, payee: null, isCompleted: true },
  {
    receipt: 'UBSKLMNOPQ',
    completedAt: AT + 60_000,
    kind: 'in',
    cents: 70_000_00n,
    payee: null,
    isCompleted: true,
  },
  {
    receipt: 'TC15P1KAF8',
    completedAt: AT + 90_000,
    kind: 'payment',
    cents: 5n,
    payee: '123456',
    isCompleted: false,
  },
  {
    receipt: 'TC15P1KAF9',
    completedAt: AT + 99_000,
    kind: 'payment',
    cents: 20_00n,
    payee: null,
    isCompleted: true,
  },
];

test('the lines of a statement are what a person reads in it, however it is laid out and over however many pages', async () => {
  const styles = fc.record<Required<Omit<PayerPdfStyle, 'password'>>>({
    layout: fc.constantFrom('top', 'centred'),
    amounts: fc.constantFrom('left', 'right'),
    empty: fc.constantFrom('', '0.00'),
    isSigned: fc.boolean(),
    isTimeBelow: fc.boolean(),
    isNamedOnce: fc.boolean(),
    rowsOfPage: fc.integer({ min: 1, max: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(styles, async (style) => {
      const { lines } = await read(await payerPdf(ENTRIES, style));
      expect(lines).toEqual(LINES);
    }),
    { numRuns: 12 },
  );
});

test('a PDF with a password opens with it and with nothing else', async () => {
  const bytes = await payerPdf(ENTRIES, { password: '254813' });
  expect((await read(bytes, '254813')).lines).toEqual(LINES);
  await expect(read(bytes)).rejects.toMatchObject({ code: 'password_needed' });
  await expect(read(bytes, '254814')).rejects.toMatchObject({ code: 'password_wrong' });
});

test('a PDF of something else, and what is no PDF, are refused', async () => {
  await expect(read('Receipt No.,Completion Time')).rejects.toMatchObject({ code: 'file_not_pdf' });
  await expect(read('')).rejects.toMatchObject({ code: 'file_empty' });
  await expect(read('%PDF-1.7 nothing')).rejects.toMatchObject({ code: 'file_damaged' });
  const { PDF } = await import('@libpdf/core');
  const other = PDF.create();
  other.addPage().drawText('Dear customer, receipt follows');
  await expect(read(await other.save())).rejects.toMatchObject({ code: 'no_header' });
});

test('a PDF that was damaged anywhere is read or refused with a code, and never fails in another way', async () => {
  const whole = Buffer.from(await payerPdf(ENTRIES));
  const damage = fc.record({
    at: fc.nat(whole.length - 1),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 60 }),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ at, bytes }) => {
      const damaged = Buffer.from(whole);
      damaged.set(bytes.subarray(0, whole.length - at), at);
      const outcome = await read(damaged).then(
        () => 'read',
        (error: unknown) => (error as Error).name,
      );
      expect(['read', 'StatementError']).toContain(outcome);
    }),
    { numRuns: 10 },
  );
});
