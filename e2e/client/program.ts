import { randomUUID } from 'node:crypto';
import { createClients, granted, readPages } from './clients.ts';
import type { Clients } from './clients.ts';
import type { components } from './generated/wallet.ts';

// A program written with nothing but the descriptions of the services: `node program.ts <wallet's URL>
// <mpesa's URL> <sms's URL> <API key> <number of a wallet with money>`. It prints what it has seen as JSON.

type Problem = components['schemas']['Problem'];

/** What to tell a customer whose payment is refused. */
const EXPLANATIONS: Partial<Record<Problem['code'], string>> = {
  insufficient_funds: 'there is not enough in the wallet',
  unknown_wallet: 'nobody has this wallet',
};

async function openWallet({ wallet }: Clients) {
  const opened = await wallet.POST('/wallets', {
    params: { header: { 'idempotency-key': randomUUID() } },
    body: { holderName: 'Amina Barasa', phone: '0700 000 201', language: 'sw' },
  });
  const { number, phone, status, balance, language } = granted(opened);
  return { number, phone, status, balance, language };
}

interface Parties {
  readonly from: string;
  readonly to: string;
}

/** The same order twice, as after an answer that was lost. */
async function transfer({ wallet }: Clients, parties: Parties) {
  const order = {
    params: { header: { 'idempotency-key': randomUUID() } },
    body: { ...parties, amount: '150.00', narrative: 'Rent' },
  };
  const first = await wallet.POST('/transfers', order);
  const again = await wallet.POST('/transfers', order);
  const { reference, type, amount, fee, balanceAfter } = granted(first);
  return {
    statuses: [first.response.status, again.response.status],
    isRepeated: granted(again).reference === reference,
    posted: { type, amount, fee, balanceAfter },
  };
}

async function overdraw({ wallet }: Clients, parties: Parties) {
  const { error, response } = await wallet.POST('/transfers', {
    params: { header: { 'idempotency-key': randomUUID() } },
    body: { ...parties, amount: '1000000.00' },
  });
  return { status: response.status, explanation: error && EXPLANATIONS[error.code] };
}

async function readStatement({ wallet }: Clients, number: string) {
  const { openingBalance, closingBalance, items } = granted(
    await wallet.GET('/wallets/{number}/statement', { params: { path: { number }, query: { limit: 10 } } }),
  );
  const lines = items.map(({ direction, counterparty, amount, balanceAfter, narrative }) => {
    return { direction, counterparty, amount, balanceAfter, narrative };
  });
  return { openingBalance, closingBalance, lines };
}

async function listDeposits({ mpesa }: Clients) {
  const pages = await readPages((place) =>
    mpesa.GET('/deposits', { params: { query: { limit: 2, ...place } } }),
  );
  return pages.map((items) => items.map(({ receipt, outcome, amount }) => ({ receipt, outcome, amount })));
}

async function listSuspense({ mpesa }: Clients) {
  const pages = await readPages((place) =>
    mpesa.GET('/suspense', { params: { query: { status: 'waiting', limit: 2, ...place } } }),
  );
  return pages.map((items) =>
    items.map(({ receipt, account, remaining }) => ({ receipt, account, remaining })),
  );
}

async function queueMessage({ sms }: Clients) {
  const queued = granted(
    await sms.POST('/messages', {
      params: { header: { 'idempotency-key': randomUUID() } },
      body: { recipient: '0700 000 202', message: 'Your order is ready.', template: 'order' },
    }),
  );
  const { recipient, message, template, priority } = granted(
    await sms.GET('/messages/{id}', { params: { path: { id: queued.id } } }),
  );
  return { recipient, message, template, priority };
}

const [walletUrl = '', mpesaUrl = '', smsUrl = '', apiKey = '', payer = ''] = process.argv.slice(2);
const clients = createClients({ walletUrl, mpesaUrl, smsUrl, apiKey });
const opened = await openWallet(clients);
process.stdout.write(
  JSON.stringify({
    opened,
    transfer: await transfer(clients, { from: payer, to: opened.number }),
    overdraft: await overdraw(clients, { from: payer, to: opened.number }),
    nobody: await overdraw(clients, { from: payer, to: '1000000000' }),
    statement: await readStatement(clients, opened.number),
    deposits: await listDeposits(clients),
    suspense: await listSuspense(clients),
    message: await queueMessage(clients),
  }),
);
