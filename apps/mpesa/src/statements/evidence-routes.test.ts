import { payerPdf } from '@repo/statements/testing/payer-pdf';
import { expect, test } from 'vitest';
import { TEST_KEY, useTestService } from '../testing.ts';

const service = useTestService();

async function check(body: Uint8Array, { path = '', password = '', key = TEST_KEY } = {}) {
  const response = await fetch(`${service.url}/statements/evidence${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/pdf',
      ...(password === '' ? {} : { 'x-file-password': password }),
    },
    body: new Uint8Array(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const PASSWORD = '2548137';
const ENTRY = {
  receipt: 'TC15P1KAF6',
  at: Date.UTC(2026, 2, 1, 9),
  details: 'Pay Bill Online to 600123 - EXAMPLE TRADERS Acc. 4412098848',
  cents: 1_500_00n,
};

test("a payer's statement is compared with the ledger, and neither its words nor its password are logged", async () => {
  const file = await payerPdf([ENTRY], { password: PASSWORD });
  expect(await check(file)).toMatchObject({
    status: 422,
    body: { code: 'invalid_statement', detail: expect.stringContaining('password') },
  });
  expect(await check(file, { path: '?shortCode=600123', password: PASSWORD })).toMatchObject({
    status: 200,
    body: {
      lines: 1,
      unknown: 1,
      items: [{ receipt: 'TC15P1KAF6', state: 'unknown', amount: '1500.00', payee: '600123', ledger: null }],
    },
  });
  const logged = service.lines.join('');
  expect(logged).toContain('compared with the ledger');
  expect(logged).not.toMatch(new RegExp(`${PASSWORD}|EXAMPLE TRADERS|MADE UP`));
});

test('what is no PDF, a wrong parameter and an unknown key are refused', async () => {
  const text = new TextEncoder().encode('Receipt No.');
  expect(await check(text)).toMatchObject({ status: 422, body: { code: 'invalid_statement' } });
  expect(await check(text, { path: '?shortCode=x' })).toMatchObject({
    status: 422,
    body: { code: 'invalid_request' },
  });
  expect(await check(text, { key: 'unknown' })).toMatchObject({ status: 401 });
});
