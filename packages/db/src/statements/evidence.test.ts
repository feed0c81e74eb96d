import { expect, test } from 'vitest';
import { payerPdf } from '@repo/statements/testing/payer-pdf';
import type { PayerEntry, PayerPdfStyle } from '@repo/statements/testing/payer-pdf';
import { temporaryFile } from '@repo/testing/temporary-file';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';
import { newShortCode, noonPlus } from '../testing/statements.ts';
import { checkPayerStatement } from './evidence.ts';
import type { EvidenceRequest } from './evidence.ts';

const database = useTestDb();

async function check(
  entries: readonly PayerEntry[],
  style: PayerPdfStyle = {},
  request: EvidenceRequest = {},
) {
  await using file = await temporaryFile(await payerPdf(entries, style));
  return await checkPayerStatement(database.db, file.path, request);
}

test('each payment of a payer is found by its receipt, with the same amount, another one, or not at all; nothing is stored', async () => {
  const shortCode = newShortCode();
  const at = noonPlus(0);
  const paidTo = (receipt: string, cents: bigint, payee = shortCode): PayerEntry => ({
    receipt,
    at,
    cents,
    details: `Pay Bill Online to ${payee} - EXAMPLE TRADERS Acc. 4412098848`,
  });
  const [good, dearer, lost, elsewhere] = Array.from({ length: 4 }, () => newReceipt()) as [
    string,
    string,
    string,
    string,
  ];
  for (const receipt of [good, dearer])
    await recordDeposit(
      database.db,
      sampleDeposit({ receipt, shortCode, amount: '1500.00', paidAt: new Date(at) }),
    );
  const entries = [
    paidTo(good, 1_500_00n),
    { receipt: good, at, cents: 8_00n, details: 'Pay Bill Charge' },
    paidTo(dearer, 1_600_00n),
    paidTo(lost, 70_00n),
    paidTo(elsewhere, 70_00n, '999999'),
    { ...paidTo(newReceipt(), 70_00n), status: 'Failed' },
    { receipt: newReceipt(), at, cents: -70_00n, details: 'Funds received from 07******11' },
  ];
  const counted = async () =>
    valueOf(
      database.sql,
      'SELECT (SELECT count(*) FROM services.mpesa_statement_lines) + (SELECT count(*) FROM core.transactions)',
    );
  const before = await counted();
  const evidence = await check(entries, { password: '254813' }, { password: '254813', shortCode });
  const ledger = { amount: '1500.00', isPosted: true, shortCode, paidAt: new Date(at) };
  const line = { at: new Date(at), payee: shortCode };
  expect(evidence).toEqual({
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    pages: 1,
    lines: 7,
    passedOver: { charges: 1, moneyIn: 1, notCompleted: 1, otherPayee: 1 },
    agrees: 1,
    differs: 1,
    unknown: 1,
    items: [
      { ...line, receipt: good, state: 'agrees', amount: '1500.00', ledger },
      { ...line, receipt: dearer, state: 'differs', amount: '1600.00', ledger },
      { ...line, receipt: lost, state: 'unknown', amount: '70.00', ledger: null },
    ],
  });
  expect(JSON.stringify(evidence)).not.toMatch(/EXAMPLE|MADE UP|4412098848|07\*/);
  expect(await counted()).toBe(before);
  // Without a short code, what went elsewhere is looked for as well.
  expect(await check(entries)).toMatchObject({ agrees: 1, unknown: 2, passedOver: { otherPayee: 0 } });
});

test('a payment that is kept and not credited is found, and said not to be posted', async () => {
  const receipt = newReceipt();
  const amount = '150.00';
  await recordDeposit(database.db, sampleDeposit({ receipt, amount }), { maxAmount: '100.00' });
  const [item] = (
    await check([{ receipt, at: noonPlus(0), cents: 150_00n, details: 'Pay Bill to 600123 - X' }])
  ).items;
  expect(item).toMatchObject({ state: 'agrees', ledger: { isPosted: false } });
});

test('a PDF whose password is missing or wrong, and a wrong short code, are refused', async () => {
  const entries = [{ receipt: newReceipt(), at: noonPlus(0), cents: 1n, details: 'x' }];
  await expect(check(entries, { password: '254813' })).rejects.toMatchObject({
    code: 'invalid_statement',
    message: expect.stringContaining('Send the password'),
  });
  await expect(check(entries, { password: '254813' }, { password: 'x' })).rejects.toMatchObject({
    message: expect.stringContaining('does not open'),
  });
  await expect(check(entries, {}, { shortCode: 'x' })).rejects.toMatchObject({ code: 'invalid_request' });
});
