import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { ROOT } from './env.ts';
import type { Settings } from './env.ts';
import { runNode } from './processes.ts';
import type { Service } from './processes.ts';
import type { Wallets } from './scenes.ts';

/** One request to the wallet service, what it answered, and what the ledger must hold because of it. */
export interface WalletScene {
  readonly title: string;
  readonly answered: string;
  /** The transaction that must be there, with its amount; null when nothing may have moved. */
  readonly posted: { readonly reference: string; readonly amount: string } | null;
  /** Whether the answer was what it had to be. */
  readonly isRight: boolean;
}

interface Reply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A customer pays another, overdraws, has money held for a payout, and gets some of it back. */
export async function playTransfers(
  wallet: Service,
  settings: Settings,
  wallets: Wallets,
): Promise<WalletScene[]> {
  const { wanjiku, otieno } = wallets;
  const post = (path: string, body: object, key: string = randomUUID()) =>
    postTo(wallet, settings, { path, body, key });
  const scenes: WalletScene[] = [];

  const key = randomUUID();
  const order = { from: wanjiku, to: otieno, amount: '300.00', narrative: 'Rent' };
  const first = await post('/transfers', order, key);
  const again = await post('/transfers', order, key);
  const isSame = first.body['reference'] === again.body['reference'];
  scenes.push({
    title: 'a transfer, asked for twice with one key',
    answered: `${String(first.status)}, then ${String(again.status)}: ${isSame ? 'the same' : 'ANOTHER'}`,
    posted: { reference: textOf(first, 'reference'), amount: '300.00' },
    isRight: first.status === 201 && again.status === 200 && isSame,
  });

  const overdraft = await post('/transfers', { ...order, amount: '1000000.00' });
  scenes.push({
    title: 'a transfer of more than the balance',
    answered: `${String(overdraft.status)} ${textOf(overdraft, 'code')}`,
    posted: null,
    isRight: overdraft.status === 422 && overdraft.body['code'] === 'insufficient_funds',
  });

  const held = await post('/holds', { wallet: wanjiku, amount: '500.00' });
  const captured = await post(`/holds/${textOf(held, 'id')}/capture`, {
    to: 'MPESA-FLOAT',
    amount: '200.00',
  });
  scenes.push({
    title: '500.00 held for a payout, 200.00 of it paid out',
    answered: `${String(held.status)}, then ${String(captured.status)}`,
    posted: { reference: textOf(captured, 'reference'), amount: '200.00' },
    isRight: held.status === 201 && captured.status === 201,
  });

  const reversal = await post(`/transactions/${textOf(first, 'reference')}/reversal`, { amount: '100.00' });
  scenes.push({
    title: 'a third of the transfer sent back',
    answered: String(reversal.status),
    posted: { reference: textOf(reversal, 'reference'), amount: '100.00' },
    isRight: reversal.status === 201,
  });
  return scenes;
}

/** A receipt as files, checked with nothing but the public keys, and a forgery of it; then both asked of the service. */
export async function playReceipt(
  wallet: Service,
  settings: Settings,
  reference: string,
): Promise<WalletScene[]> {
  const folder = join(ROOT, '.daftari', 'demo');
  await mkdir(folder, { recursive: true });
  const file = (name: string) => join(folder, name);
  await writeFile(file('receipt.pdf'), await read(wallet, settings, `/receipts/${reference}.pdf`));
  await writeFile(file('receipt.html'), await read(wallet, settings, `/receipts/${reference}.html`));
  await writeFile(file('keys.json'), await read(wallet, settings, '/.well-known/jwks.json'));
  const genuine = await readFile(file('receipt.html'), 'utf8');
  await writeFile(file('forged.html'), genuine.replaceAll('300.00', '900.00'));

  const scenes: WalletScene[] = [];
  for (const [name, code] of [
    ['receipt.pdf', 0],
    ['receipt.html', 0],
    ['forged.html', 1],
  ] as const) {
    const check = ['packages/receipts/src/verify-command.ts', file(name), '--keys', file('keys.json')];
    const verdict = await runNode(settings, check);
    scenes.push({
      title: `.daftari/demo/${name}, checked offline`,
      answered: verdict.code === 0 ? 'genuine' : 'forged',
      posted: null,
      isRight: verdict.code === code,
    });
  }

  const receipt = JSON.parse(
    (await read(wallet, settings, `/transactions/${reference}`)).toString('utf8'),
  ) as Reply['body'];
  const hash = String(receipt['verificationHash']);
  for (const [title, presented, expected] of [
    ['the public page, asked with the hash of the receipt', hash, true],
    [
      'the public page, asked with another hash',
      hash.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
      false,
    ],
  ] as const) {
    const page = JSON.parse(
      (await read(wallet, settings, `/verify/${reference}/${presented}`)).toString('utf8'),
    ) as Reply['body'];
    scenes.push({
      title,
      answered: page['genuine'] === true ? 'genuine' : 'not genuine',
      posted: null,
      isRight: page['genuine'] === expected,
    });
  }
  return scenes;
}

async function postTo(
  wallet: Service,
  settings: Settings,
  { path, body, key }: { readonly path: string; readonly body: object; readonly key: string },
): Promise<Reply> {
  const response = await request(`${wallet.url}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${settings.apiKey}`,
      'content-type': 'application/json',
      'idempotency-key': key,
    },
    body: JSON.stringify(body),
  });
  return { status: response.statusCode, body: (await response.body.json()) as Reply['body'] };
}

async function read(wallet: Service, settings: Settings, path: string): Promise<Buffer> {
  const response = await request(`${wallet.url}${path}`, {
    headers: { authorization: `Bearer ${settings.apiKey}`, accept: 'application/json' },
  });
  return Buffer.from(await response.body.arrayBuffer());
}

function textOf(reply: Reply, key: string): string {
  const value = reply.body[key];
  return typeof value === 'string' ? value : '';
}
