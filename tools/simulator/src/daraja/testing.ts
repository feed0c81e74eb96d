import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { request } from 'undici';
import { onTestFinished } from 'vitest';
import type { DarajaSimulator } from './server.ts';
import { startDaraja } from './server.ts';
import type { DarajaOptions } from './settings.ts';

const TIMESTAMP = '20261127120000';
export const PHONE = '254700000126';

export async function startForTest(options: DarajaOptions = {}): Promise<DarajaSimulator> {
  const daraja = await startDaraja(options);
  onTestFinished(() => daraja.close());
  return daraja;
}

/** A service that takes what M-PESA sends. */
export async function startService() {
  const bodies: string[] = [];
  const server = createServer((incoming, response) => {
    void text(incoming).then((body) => {
      bodies.push(body);
      return response.end('{"ResultCode":0}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${String(port)}`, bodies };
}

export async function call(url: string, { method = 'POST', token = '', body = null as unknown } = {}) {
  const response = await request(url, {
    method,
    headers: { authorization: token },
    ...(method === 'GET' ? {} : { body: JSON.stringify(body) }),
  });
  const answered = (await response.body.json()) as Record<string, unknown>;
  return { status: response.statusCode, body: answered };
}

export function basic(key = 'simulated-key', secret = 'simulated-secret'): string {
  return `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`;
}

export async function tokenOf({ url }: DarajaSimulator): Promise<string> {
  const { body } = await call(`${url}/oauth/v1/generate?grant_type=client_credentials`, {
    method: 'GET',
    token: basic(),
  });
  return `Bearer ${String(body['access_token'])}`;
}

export function pushOf(callbackUrl: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    BusinessShortCode: '600100',
    Password: Buffer.from(`600100simulated-passkey${TIMESTAMP}`).toString('base64'),
    Timestamp: TIMESTAMP,
    TransactionType: 'CustomerPayBillOnline',
    Amount: 150,
    PartyA: PHONE,
    PartyB: '600100',
    PhoneNumber: PHONE,
    CallBackURL: callbackUrl,
    AccountReference: '1000000009',
    TransactionDesc: 'Deposit',
    ...changes,
  };
}

export async function push(
  daraja: DarajaSimulator,
  callbackUrl: string,
  changes: Record<string, unknown> = {},
) {
  return call(`${daraja.url}/mpesa/stkpush/v1/processrequest`, {
    token: await tokenOf(daraja),
    body: pushOf(callbackUrl, changes),
  });
}

export async function query(daraja: DarajaSimulator, checkoutRequestId: unknown) {
  const { BusinessShortCode, Password, Timestamp } = pushOf('');
  return call(`${daraja.url}/mpesa/stkpushquery/v1/query`, {
    token: await tokenOf(daraja),
    body: { BusinessShortCode, Password, Timestamp, CheckoutRequestID: checkoutRequestId },
  });
}
