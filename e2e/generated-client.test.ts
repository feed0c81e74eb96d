import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clientTypes } from '@repo/api-client';
import { createDb, lookupWallet, openWallet } from '@repo/db';
import type { Db } from '@repo/db';
import { createTestDatabase } from '@repo/postgres/testing';
import type { TestDatabase } from '@repo/postgres/testing';
import { confirmationOf, createPayment, createRandom, openTarget, sendConfirmation } from '@repo/simulator';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT, readSettings } from './env.ts';
import { freePorts, runNode, startService, startTogether } from './processes.ts';
import type { Service } from './processes.ts';

const SETTINGS = { ...readSettings(), apiKey: 'client-key', callbackToken: 'client-token' };
const folder = join(ROOT, 'e2e/client');

interface Services {
  readonly wallet: Service;
  readonly mpesa: Service;
  readonly sms: Service;
}

let database: TestDatabase;
let db: Db;
let services: Services;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb({ url: database.url });
  services = await startServices(database.url);
  const generated = join(folder, 'generated');
  await mkdir(generated, { recursive: true });
  for (const [name, { url }] of Object.entries(services)) {
    const description = await (await fetch(`${url}/docs/json`)).text();
    await writeFile(join(generated, `${name}.ts`), await clientTypes(description));
  }
});

afterAll(async () => {
  const { wallet, mpesa, sms } = services;
  await Promise.all([wallet.stop(), mpesa.stop(), sms.stop()]);
  await db.close();
  await database.drop();
});

it('a program compiles strictly against types made from the descriptions, and wrong calls do not', async () => {
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  expect(await runNode(SETTINGS, [compiler, '-p', folder])).toEqual({ code: 0, printed: '' });
});

it('the program does what it is meant to with the three services', async () => {
  const { payer, receipts } = await openPayer();
  const { wallet, mpesa, sms } = services;
  const parameters = [wallet.url, mpesa.url, sms.url, SETTINGS.apiKey, payer];
  const { code, printed } = await runNode(SETTINGS, [join(folder, 'program.ts'), ...parameters]);
  expect({ code, printed }).toEqual({ code: 0, printed: expect.stringMatching(/^\{/) });
  const seen = JSON.parse(printed) as { readonly opened: { readonly number: string } };
  const { number } = seen.opened;

  const waiting = receipts.slice(1).map((receipt, at) => ({ receipt, account: `shop ${String(at)}` }));
  const inSuspense = waiting.map((each) => ({ ...each, remaining: '20.00' })).toReversed();
  const outside = waiting.map(({ receipt }) => ({ receipt, outcome: 'suspense', amount: '20.00' }));
  const deposits = [
    { receipt: receipts[0], outcome: 'credited', amount: '1000.00' },
    ...outside,
  ].toReversed();
  expect(seen).toEqual({
    opened: { number, phone: '254700000201', status: 'active', balance: '0.00', language: 'sw' },
    transfer: {
      statuses: [201, 200],
      isRepeated: true,
      posted: { type: 'transfer', amount: '150.00', fee: '0.00', balanceAfter: '850.00' },
    },
    overdraft: { status: 422, explanation: 'there is not enough in the wallet' },
    nobody: { status: 422, explanation: 'nobody has this wallet' },
    statement: {
      openingBalance: '0.00',
      closingBalance: '150.00',
      lines: [
        {
          direction: 'credit',
          counterparty: payer,
          amount: '150.00',
          balanceAfter: '150.00',
          narrative: 'Rent',
        },
      ],
    },
    deposits: [deposits.slice(0, 2), deposits.slice(2)],
    suspense: [inSuspense.slice(0, 2), inSuspense.slice(2)],
    message: {
      recipient: '254700000202',
      message: 'Your order is ready.',
      template: 'order',
      priority: 'important',
    },
  });
  expect(await balances([payer, number])).toEqual(['850.00', '150.00']);
});

async function startServices(databaseUrl: string): Promise<Services> {
  const [walletPort = '', mpesaPort = '', smsPort = ''] = await freePorts(3);
  const environment = {
    SMS_PORT: smsPort,
    SMS_CALLBACK_TOKEN: SETTINGS.smsCallbackToken,
    SMS_PROVIDER: 'console',
  };
  const [wallet, mpesa, sms] = await startTogether([
    startService(SETTINGS, databaseUrl, { app: 'wallet', port: walletPort }),
    startService(SETTINGS, databaseUrl, { app: 'mpesa', port: mpesaPort }),
    startService(SETTINGS, databaseUrl, { app: 'sms', port: smsPort, environment }),
  ]);
  return { wallet, mpesa, sms };
}

/** A customer who has paid in KES 1,000, and three payments for nobody; the receipts of all in order of time. */
async function openPayer(): Promise<{ readonly payer: string; readonly receipts: readonly string[] }> {
  const { number } = await openWallet(db, { holderName: 'Juma Mutua', phone: '0700 000 203' });
  await using target = openTarget({ url: services.mpesa.url, token: SETTINGS.callbackToken });
  const random = createRandom('generated client');
  const shops = ['shop 0', 'shop 1', 'shop 2'].map((account) => ({ account, amount: '20.00' }));
  const receipts: string[] = [];
  for (const order of [{ account: number, amount: '1000.00' }, ...shops]) {
    const payment = createPayment(random, order);
    expect(await sendConfirmation(target, confirmationOf(payment))).toMatchObject({ accepted: true });
    receipts.push(payment.receipt);
  }
  return { payer: number, receipts };
}

/** What the ledger says, without the services. */
async function balances(numbers: readonly string[]) {
  const wallets = await Promise.all(numbers.map((number) => lookupWallet(db, number)));
  return wallets.map((wallet) => wallet?.balance);
}
