import { expect, test } from 'vitest';
import { createConsoleProvider } from './console.ts';
import type { Recipient } from './provider.ts';

const TEXT = 'Dear WANJIRU, KES 1,500.00 was received.';
const NUMBER: Recipient = { kind: 'number', number: '254700000126' };
const HASH: Recipient = { kind: 'hash', hash: `abcdef${'0'.repeat(58)}`, network: 'Safaricom' };

async function writtenFor(recipient: Recipient, showText?: boolean) {
  const lines: string[] = [];
  const provider = createConsoleProvider({
    write: (line) => lines.push(line),
    ...(showText === undefined ? {} : { showText }),
  });
  const answer = await provider.send({ id: 'm1', recipient, text: TEXT });
  await provider.close();
  return { line: lines.join('\n'), answer };
}

test('it accepts a message at no cost and writes one line without the number and the text', async () => {
  const { line, answer } = await writtenFor(NUMBER);
  expect(line).toBe('sms m1 to 254******126 (1 part, 40 units of GSM-7)');
  expect(answer).toMatchObject({
    kind: 'accepted',
    providerMessageId: 'console-m1',
    cost: '0.0000',
    currency: null,
    parts: 1,
  });
});

test('the text is written when it is asked for', async () => {
  const { line } = await writtenFor(NUMBER, true);
  expect(line).toContain(JSON.stringify(TEXT));
});

test('of a hash and of a short number little is shown', async () => {
  expect((await writtenFor(HASH)).line).toContain('to hash abcdef... (');
  expect((await writtenFor({ kind: 'number', number: '22384' })).line).toContain('to ***** (');
});
