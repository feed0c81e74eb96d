import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from '@repo/testing/until';
import { TEST_KEY } from '../testing.ts';
import type { TestService } from '../testing.ts';

export const WEBHOOKS = {
  key: 'a-key-of-the-tests-that-seals-secrets',
  isPublicOnly: false,
  timings: { pauseMs: 10, delaysMs: [1, 1, 1] },
};

/** A message as a customer's app received it. */
export interface ReceivedMessage {
  readonly id: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A customer's app: it keeps what comes, and answers as it is told. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly messages: ReceivedMessage[];
  /** Waits until so many messages have come. */
  untilCame(count: number): Promise<readonly ReceivedMessage[]>;
}

/** `answer`: the status for a message, by how many came before it; null for none. */
export async function startReceiver(
  answer: (before: number, message: ReceivedMessage) => number | null = () => 204,
): Promise<Receiver> {
  const messages: ReceivedMessage[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const message = {
        id: String(request.headers['webhook-id']),
        headers: request.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      };
      const status = answer(messages.length, message);
      messages.push(message);
      if (status === null) return;
      response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}/events`,
    messages,
    untilCame: (count) =>
      until(`${String(count)} messages`, () => Promise.resolve(messages), {
        isFit: (all) => all.length >= count,
        show: (all) => all.length,
      }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A message that is older, or so far ahead, may be a recorded one that somebody sends again. */
const WINDOW_S = 300;

/** What a customer's app does before it believes a message, after the text of Standard Webhooks. Null: not believed. */
export function verifyMessage(
  { headers, body }: Pick<ReceivedMessage, 'headers' | 'body'>,
  secret: string,
  nowS = Date.now() / 1_000,
): Record<string, unknown> | null {
  const id = String(headers['webhook-id']);
  const timestamp = String(headers['webhook-timestamp']);
  if (!/^\d+$/.test(timestamp) || Math.abs(nowS - Number(timestamp)) > WINDOW_S) return null;
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest();
  const isSigned = String(headers['webhook-signature'])
    .split(' ')
    .filter((each) => each.startsWith('v1,'))
    .map((each) => Buffer.from(each.slice(3), 'base64'))
    .some((given) => given.length === expected.length && timingSafeEqual(given, expected));
  return isSigned ? (JSON.parse(body) as Record<string, unknown>) : null;
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Asks the service as a person with every scope. */
export async function ask(
  { url }: Pick<TestService, 'url'>,
  what: `${'GET' | 'POST' | 'DELETE'} /${string}`,
  body?: unknown,
): Promise<Answer> {
  const [method = '', path = ''] = what.split(' ');
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${TEST_KEY}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

/** Registers an endpoint and gives its id and its secret. */
export async function register(
  service: Pick<TestService, 'url'>,
  url: string,
  events: readonly string[],
): Promise<{ readonly id: string; readonly secret: string }> {
  const { status, body } = await ask(service, 'POST /webhooks', { url, events });
  if (status !== 201) throw new Error(`not registered: ${String(status)} ${JSON.stringify(body)}`);
  return { id: String(body['id']), secret: String(body['secret']) };
}

/** Waits until the list of deliveries is as wanted. */
export async function untilDeliveries(
  service: Pick<TestService, 'url'>,
  query: string,
  isFit: (items: readonly Record<string, unknown>[]) => boolean,
): Promise<readonly Record<string, unknown>[]> {
  return until(
    'deliveries',
    async () =>
      (await ask(service, `GET /webhook-deliveries${query}`)).body['items'] as Record<string, unknown>[],
    { isFit, show: (items) => items.map(({ status, attempts }) => ({ status, attempts })) },
  );
}
