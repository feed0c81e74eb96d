import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { execute } from '@repo/postgres/database';
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

  const phone = '254700000001';
  await fetch(`http://127.0.0.1:${payer}/phone/pay`, {
    method: 'POST',
    body: JSON.stringify({ phone, account: wallet, amount: '5' }),
  });
  const phoneState = async () => (await fetch(`http://127.0.0.1:${payer}/phone/state?phone=${phone}`)).text();
  await until('the deposit and its message on the phone', phoneState, {
    isFit: (shown) => shown.includes(`Deposit: credited, ${wallet}`) && shown.includes('KES 5.00 received'),
  });

  dev.interrupt();
  expect((await dev.ended).code).toBe(0);
});

const VIA_NPM = ['npm', 'run', 'dev'] as const;
const DIRECTLY = [process.execPath, join(ROOT, 'e2e/dev.ts')] as const;

it.each([
  { what: 'npm, which has started it, gets SIGTERM', command: VIA_NPM, end: 'SIGTERM', of: 'process' },
  { what: 'npm, which has started it, is killed', command: VIA_NPM, end: 'SIGKILL', of: 'process' },
  { what: 'the terminal is closed', command: VIA_NPM, end: 'SIGHUP', of: 'group' },
  { what: 'Ctrl-C reaches everything on the terminal', command: VIA_NPM, end: 'SIGINT', of: 'group' },
  { what: 'it is killed itself', command: DIRECTLY, end: 'SIGKILL', of: 'process' },
] as const)(
  'nothing that dev has started is left, and nothing is printed twice, when $what',
  async ({ command, end, of }) => {
    await using database = await createTestDatabase();
    const ports = await freePorts(5);
    const [payer = '', mpesa = '', wallets = '', sms = '', provider = ''] = ports;
    const dev = startProcess(command, {
      DATABASE_URL: database.url,
      MPESA_PORT: mpesa,
      WALLET_PORT: wallets,
      SMS_PORT: sms,
      SMS_SIMULATOR_PORT: provider,
      SIMULATOR_PORT: payer,
    });
    await dev.until('Ctrl-C stops all of it.');
    process.kill(of === 'group' ? -dev.pid : dev.pid, end);
    for (const port of ports) {
      await until(`port ${port} to be free`, async () => !(await isListening(port)));
    }
    expect((await dev.ended).printed).not.toContain('a second signal');
  },
  120_000,
);

async function isListening(port: string): Promise<boolean> {
  const socket = connect(Number(port), '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    // Refused: nobody does.
    return false;
  } finally {
    socket.destroy();
  }
}

it('dev says which ports are taken, by which setting, before it starts anything', async () => {
  await using database = await createTestDatabase({ empty: true });
  const [payer = '', mpesa = '', wallets = '', provider = ''] = await freePorts(4);
  const others = [payer, wallets, provider].map((port) => createServer().listen(Number(port), '127.0.0.1'));
  await Promise.all(others.map((server) => once(server, 'listening')));
  const { code, printed } = await start('e2e/dev.ts', {
    DATABASE_URL: database.url,
    MPESA_PORT: mpesa,
    WALLET_PORT: wallets,
    SMS_PORT: mpesa,
    SMS_SIMULATOR_PORT: provider,
    SIMULATOR_PORT: payer,
  }).ended;
  for (const server of others) server.close();
  expect(printed).toContain(`WALLET_PORT=${wallets} for the wallet service: another program listens there`);
  expect(printed).toContain(`SMS_SIMULATOR_PORT=${provider} for the simulated SMS provider: another program`);
  expect(printed).toContain(`SIMULATOR_PORT=${payer} for the simulated M-PESA: another program`);
  expect(printed).toContain(`SMS_PORT=${mpesa} for the SMS service: MPESA_PORT has the same`);
  expect(printed).not.toMatch(/^\s+at /m);
  expect(code).toBe(1);
  // Nothing has touched the database.
  expect(await execute(database.url, `SELECT to_regnamespace('core') AS core`)).toEqual([{ core: null }]);
});

it.each([
  [{ MPESA_PORT: 'harbour' }, 'MPESA_PORT is not a port'],
  [{ SIMULATOR_PORT: '0' }, 'SIMULATOR_PORT is not a port'],
  [{ NODE_ENV: 'production' }, 'NODE_ENV is production'],
])('dev refuses %o in words', async (setting, words) => {
  const { code, printed } = await start('e2e/dev.ts', {
    DATABASE_URL: 'postgresql://127.0.0.1:1/x',
    ...setting,
  }).ended;
  expect(printed).toContain(words);
  expect(printed).not.toMatch(/^\s+at /m);
  expect(code).toBe(1);
});

it('the payer of dev says how to use it when it is used wrongly, and pays nothing', async () => {
  const { startPayer } = await import('./payer.ts');
  const port = Number(await freePort());
  const payer = await startPayer({ port, service: 'http://127.0.0.1:9', token: 'any' });
  expect((await fetch(`${payer.url}/nowhere`)).status).toBe(404);
  expect((await fetch(`${payer.url}/pay`)).status).toBe(405);
  for (const [body, word] of [
    ['no json', 'JSON object'],
    ['{"account": "1234567890", "amount": 10}', '"amount"'],
    [`{"account": "${'x'.repeat(70_000)}", "amount": "10.00"}`, 'larger than'],
  ] as const) {
    const wrong = await fetch(`${payer.url}/pay`, { method: 'POST', body });
    expect(wrong.status).toBe(400);
    expect(await wrong.json()).toEqual({
      error: expect.stringContaining(word) as string,
      usage: expect.stringContaining('POST /pay') as string,
    });
  }
  const right = { method: 'POST', body: '{"account": "1234567890", "amount": "10.00"}' };
  const unheard = await fetch(`${payer.url}/pay`, right);
  expect(unheard.status).toBe(502);
  await payer.close();
});

interface Started {
  readonly pid: number;
  readonly ended: Promise<{ readonly code: number | null; readonly printed: string }>;
  /** Everything printed so far, as soon as it holds the text. */
  until(text: string): Promise<string>;
  interrupt(): void;
}

function start(script: string, environment: Readonly<Record<string, string>>): Started {
  return startProcess([process.execPath, join(ROOT, script)], environment);
}

/** Starts a process with a group of its own, as a shell does on a terminal. */
function startProcess(
  [file, ...args]: readonly [string, ...string[]],
  environment: Readonly<Record<string, string>>,
): Started {
  const child = spawn(file, args, {
    cwd: ROOT,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let printed = '';
  let isOver = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (printed += chunk.toString('utf8')));
  }
  const ended = once(child, 'close').then(([code]) => {
    isOver = true;
    return { code: code as number | null, printed };
  });
  return {
    pid: child.pid ?? 0,
    ended,
    until: (text) => {
      const look = () => {
        if (isOver && !printed.includes(text)) throw new Error(`ended before it said "${text}":\n${printed}`);
        return printed;
      };
      const isFit = (all: string) => all.includes(text);
      return until(`"${text}" to be printed`, look, { isFit, show: (all) => all.slice(-1_000) });
    },
    interrupt: () => child.kill('SIGINT'),
  };
}
