import { expect, test } from 'vitest';
import { createConsoleProvider } from './console.ts';
import type { Recipient } from './provider.ts';

const text = 'Dear WANJIRU, KES 1,500.00 was received.';
const number: Recipient = { kind: 'number', number: '254700000126' };
const hash: Recipient = { kind: 'hash', hash: `abcdef${'0'.repeat(58)}`, network: 'Safaricom' };

async function writtenFor(recipient: Recipient, showText?: boolean) {
  const lines: string[] = [];
  const provider = createConsoleProvider({
    write: (line) => lines.push(line),
    ...(showText === undefined ? {} : { showText }),
  });
  const answer = await provider.send({ id: 'm1', recipient, text });
  await provider.close();
  return { line: lines.join('\n'), answer };
}

test('it accepts a message at no cost and writes one line without the number and the text', async () => {
  const { line, answer } = await writtenFor(number);
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
  const { line } = await writtenFor(number, true);
  expect(line).toContain(JSON.stringify(text));
});

test('of a hash and of a short number little is shown', async () => {
  expect((await writtenFor(hash)).line).toContain('to hash abcdef... (');
  expect((await writtenFor({ kind: 'number', number: '22384' })).line).toContain('to ***** (');
});
