import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { request } from 'undici';
import { onTestFinished } from 'vitest';
import type { DarajaSimulator } from './server.ts';
import { startDaraja } from './server.ts';
import type { DarajaOptions } from './settings.ts';

export const PHONE = '254700000126';

const TIMESTAMP = '20261127120000';

export async function startForTest(options: DarajaOptions = {}): Promise<DarajaSimulator> {
  const daraja = await startDaraja(options);
  onTestFinished(() => daraja.close());
  return daraja;
}

/** A service that takes what M-PESA sends. */
export interface TakingService {
  readonly url: string;
  /** What arrived, in its order. */
  readonly taken: readonly { readonly path: string; readonly body: string }[];
  /** The bodies alone. */
  readonly bodies: () => string[];
}

/** Starts a service that answers every message in the same way; null never answers. */
export async function startService(
  answer: { readonly status: number; readonly body: string } | null = {
    status: 200,
    body: '{"ResultCode":0}',
  },
): Promise<TakingService> {
  const taken: { path: string; body: string }[] = [];
  const server = createServer((incoming, response) => {
    void text(incoming).then((body) => {
      taken.push({ path: incoming.url ?? '', body });
      return answer === null ? null : response.writeHead(answer.status).end(answer.body);
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
  return { url: `http://127.0.0.1:${String(port)}`, taken, bodies: () => taken.map(({ body }) => body) };
}

/** The URLs of a service under which payments are reported. */
export function urlsOf({ url }: TakingService, responseType: 'Completed' | 'Cancelled' = 'Completed') {
  return {
    confirmationUrl: `${url}/confirmation`,
    validationUrl: `${url}/validation`,
    responseType,
    version: 2,
  } as const;
}

/** A request; without a token it has no authorization. */
interface CallOptions {
  readonly method?: 'GET' | 'POST';
  readonly token?: string;
  readonly body?: unknown;
}

export async function call(url: string, { method = 'POST', token = '', body }: CallOptions) {
  const response = await request(url, {
    method,
    headers: { authorization: token },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
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

/** Calls an endpoint with a token of its own. */
export async function ask(daraja: DarajaSimulator, path: string, body: Readonly<Record<string, unknown>>) {
  return call(`${daraja.url}${path}`, { token: await tokenOf(daraja), body });
}

/** The fields of a request for a prompt. */
function pushFields(callbackUrl: string, changes: Readonly<Record<string, unknown>> = {}) {
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
  { url }: TakingService,
  changes: Readonly<Record<string, unknown>> = {},
) {
  return ask(daraja, '/mpesa/stkpush/v1/processrequest', pushFields(`${url}/callback`, changes));
}

export async function query(daraja: DarajaSimulator, checkoutRequestId: unknown) {
  const { BusinessShortCode, Password, Timestamp } = pushFields('');
  const fields = { BusinessShortCode, Password, Timestamp, CheckoutRequestID: checkoutRequestId };
  return ask(daraja, '/mpesa/stkpushquery/v1/query', fields);
}
