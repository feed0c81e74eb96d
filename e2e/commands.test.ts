import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createTestDatabase } from '@repo/postgres/testing';
import { until } from '@repo/testing/until';
import { expect, inject, it } from 'vitest';
import { ROOT } from './env.ts';
import { freePort, freePorts } from './processes.ts';

it('demo finds every shilling where it must be', async () => {
  // It makes a database of its own on the server that it is given.
  const { code, printed } = await start('e2e/demo.ts', { DATABASE_URL: inject('postgres').serverUrl }).ended;
  expect(printed).toContain('All of it is right.');
  expect(printed).not.toContain('WRONG');
  expect(code).toBe(0);
});

it('dev runs the services, a simulated M-PESA that pays and a provider that is sent the news, until it is interrupted', async () => {
  await using database = await createTestDatabase();
  const [payer = '', mpesa = '', wallets = '', sms = '', provider = ''] = await freePorts(5);
  const dev = start('e2e/dev.ts', {
    DATABASE_URL: database.url,
    MPESA_PORT: mpesa,
    WALLET_PORT: wallets,
    SMS_PORT: sms,
    SMS_SIMULATOR_PORT: provider,
    SIMULATOR_PORT: payer,
  });
  const intro = await dev.until('Ctrl-C stops all of it.');
  const wallet = /^(\d{10}) /m.exec(intro)?.[1] ?? '';
  expect(wallet).not.toBe('');

  const paid = await fetch(`http://127.0.0.1:${payer}/pay`, {
    method: 'POST',
    body: JSON.stringify({ account: wallet, amount: '100.00', copies: 3 }),
  });
  const { receipt } = (await paid.json()) as { receipt: string };
  const found = await fetch(`http://127.0.0.1:${mpesa}/deposits/${receipt}`, {
    headers: { authorization: 'Bearer dev-key' },
  });
  const deposit = (await found.json()) as { outcome: string; wallet: string; callbacks: unknown[] };
  expect(deposit).toMatchObject({ outcome: 'credited', wallet, amount: '100.00' });
  expect(deposit.callbacks).toHaveLength(3);
  const messagesSent = async () => {
    const book = await fetch(`http://127.0.0.1:${provider}/book?messages`);
    const { messages } = (await book.json()) as { messages: { text: string }[] };
    return messages.filter(({ text }) => text.startsWith(receipt)).length;
  };
  await until('the message about the payment', messagesSent, { isFit: (count) => count === 1 });

  dev.interrupt();
  expect((await dev.ended).code).toBe(0);
});

it('the payer of dev says how to use it when it is used wrongly', async () => {
  const { startPayer } = await import('./payer.ts');
  const port = Number(await freePort());
  const payer = await startPayer({ port, service: 'http://127.0.0.1:9', token: 'any' });
  const wrong = await fetch(payer.url);
  expect(wrong.status).toBe(404);
  const broken = await fetch(`${payer.url}/pay`, { method: 'POST', body: 'no json' });
  expect(broken.status).toBe(400);
  expect(await broken.json()).toMatchObject({ usage: expect.stringContaining('POST /pay') as string });
  await payer.close();
});

interface Started {
  readonly ended: Promise<{ readonly code: number | null; readonly printed: string }>;
  /** Everything printed so far, as soon as it holds the text. */
  until(text: string): Promise<string>;
  interrupt(): void;
}

function start(script: string, environment: Readonly<Record<string, string>>): Started {
  const child = spawn(process.execPath, [join(ROOT, script)], {
    cwd: ROOT,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  const readers: { text: string; resolve: (printed: string) => void }[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      printed += chunk.toString('utf8');
      for (const { text, resolve } of readers) if (printed.includes(text)) resolve(printed);
    });
  }
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, printed }));
  return {
    ended,
    until: (text) =>
      Promise.race([
        new Promise<string>((resolve) => readers.push({ text, resolve })),
        ended.then(({ printed: all }) => Promise.reject(new Error(`ended before it said so:\n${all}`))),
      ]),
    interrupt: () => child.kill('SIGINT'),
  };
}
