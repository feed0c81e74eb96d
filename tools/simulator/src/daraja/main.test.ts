import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startService } from './testing.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

test('as a process of its own it prints its URL, pays from the page, shows its book and stops', async () => {
  const service = await startService();
  const child = spawn(process.execPath, [MAIN, '--confirmation-url', `${service.url}/confirmation`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const [printed] = (await once(child.stdout, 'data')) as [Buffer];
  const url = printed.toString().trim();
  const paid = await fetch(`${url}/phone/pay`, {
    method: 'POST',
    body: JSON.stringify({ phone: '254700000126', account: '1000000009', amount: '25' }),
  });
  expect(paid.status).toBe(200);
  expect(service.taken).toHaveLength(1);
  const book = await fetch(`${url}/book`);
  expect(await book.json()).toMatchObject({ balance: '25.00', payments: [{ amount: '25.00' }] });
  child.kill('SIGTERM');
  expect((await exited)[0]).toBe(0);
});

test('a command line that cannot be used says why and exits with 2', async () => {
  const child = spawn(process.execPath, [MAIN, '--confirmation-url', 'nowhere'], { stdio: 'ignore' });
  expect((await once(child, 'exit'))[0]).toBe(2);
});
