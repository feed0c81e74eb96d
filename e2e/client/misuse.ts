import type { Clients } from './clients.ts';
import type { components as Mpesa } from './generated/mpesa.ts';
import type { components as Sms } from './generated/sms.ts';
import type { components as Wallet } from './generated/wallet.ts';

// Compiled, never run. Each call is wrong; where the types that were generated would let one pass, `tsc` finds an
// expectation without an error.

const PARAMS = { header: { 'idempotency-key': 'one' } };
const PARTIES = { from: '4412098848', to: '9912091234' };
const MESSAGE = { recipient: '1', message: 'a' };

export const MISUSE: readonly ((clients: Clients) => unknown)[] = [
  // @ts-expect-error money does not move without an idempotency key
  ({ wallet }) => wallet.POST('/transfers', { body: { ...PARTIES, amount: '1.00' } }),
  // @ts-expect-error an amount is a string
  ({ wallet }) => wallet.POST('/transfers', { params: PARAMS, body: { ...PARTIES, amount: 1 } }),
  // @ts-expect-error a body says who is paid
  ({ wallet }) => wallet.POST('/transfers', { params: PARAMS, body: { from: '4412098848', amount: '1.00' } }),
  // @ts-expect-error no such path
  ({ wallet }) => wallet.GET('/wallet/{number}', { params: { path: { number: '4412098848' } } }),
  // @ts-expect-error a statement is of a wallet
  ({ wallet }) => wallet.GET('/wallets/{number}/statement', { params: { query: { limit: 1 } } }),
  // @ts-expect-error no such outcome
  ({ mpesa }) => mpesa.GET('/deposits', { params: { query: { outcome: 'lost' } } }),
  // @ts-expect-error a cursor is a string
  ({ mpesa }) => mpesa.GET('/suspense', { params: { query: { cursor: 1 } } }),
  // @ts-expect-error no such language
  ({ sms }) => sms.POST('/messages', { params: PARAMS, body: { ...MESSAGE, language: 'de' } }),
  async ({ mpesa }) => {
    const { data } = await mpesa.GET('/deposits', {});
    // @ts-expect-error a payment without a wallet has null there
    return data?.items.map(({ wallet }) => wallet.length);
  },
];

export const CODES = [
  // @ts-expect-error no such code
  'out_of_luck' satisfies Wallet['schemas']['Problem']['code'],
  // @ts-expect-error a code of another service
  'unknown_sms' satisfies Mpesa['schemas']['Problem']['code'],
  // @ts-expect-error a code of another service
  'insufficient_funds' satisfies Sms['schemas']['Problem']['code'],
];
