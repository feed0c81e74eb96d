import type { Handle, PaymentVerdict } from '@repo/db';
import { exchange } from '@repo/http';
import type { Exchange, ExchangeRequest, HttpAnswer } from '@repo/http';
import { Pool } from 'undici';
import { readPushAnswer, readQueryAnswer, readStatusAnswer, readTokenAnswer } from './answers.ts';
import type { PushAnswer } from './answers.ts';
import { createRequests } from './requests.ts';
import type { PushRequest, StatusRequest } from './requests.ts';
import type { DarajaSettings } from './settings.ts';
import { createTokenSeal } from './token-seal.ts';
import { createSharedTokens } from './tokens.ts';
import type { SharedToken } from './tokens.ts';

/** Safaricom's interface to M-PESA, as far as payments need it. Nothing of it rejects for what Daraja or the network does. */
export interface Daraja {
  readonly settings: DarajaSettings;
  /** Asks a customer's phone for a payment, at most once. */
  push(request: PushRequest): Promise<Exclude<PushAnswer, { kind: 'TOKEN' }>>;
  /** Asks what became of a request. */
  query(checkoutRequestId: string): Promise<PaymentVerdict>;
  /** Asks about a receipt; whether the question was taken. The answer comes to `resultUrl`, later. */
  status(request: StatusRequest): Promise<boolean>;
  close(): Promise<void>;
}

/** Answers have less than one KiB; a page of a proxy may have more. */
const MAX_ANSWER_BYTES = 64 * 1_024;

const DEFAULT_TIMEOUT_MS = 20_000;
const CONNECT_TIMEOUT_MS = 5_000;

/** Opens a client. Nothing connects before the first request. */
export function createDaraja(db: Handle, settings: DarajaSettings): Daraja {
  const timeoutMs = settings.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const requests = createRequests(settings);
  const pool = openPool(settings);
  const send = (request: ExchangeRequest): Promise<Exchange> =>
    exchange(pool, request, { timeoutMs, maxBytes: MAX_ANSWER_BYTES });
  const tokens = createSharedTokens({
    db,
    seal: createTokenSeal(settings),
    leaseMs: timeoutMs + 2_000,
    async fetch() {
      const end = await send(requests.token());
      return end.kind === 'answer' ? readTokenAnswer(end.answer) : null;
    },
  });

  /** Sends with the shared token, and once more with the next one when it is refused: then nothing was looked at. */
  async function withToken<Read>(
    make: (token: string) => ExchangeRequest,
    read: (answer: HttpAnswer) => Read | null,
  ): Promise<{ readonly read: Read } | { readonly failed: Unsent | Extract<Exchange, { kind: 'failed' }> }> {
    let refused: SharedToken | undefined;
    for (let time = 0; time < 2; time += 1) {
      const shared = await tokens.get(refused);
      if (shared === null) break;
      const end = await send(make(shared.token));
      if (end.kind === 'failed') return { failed: end };
      const done = read(end.answer);
      if (done !== null) return { read: done };
      refused = shared;
    }
    return { failed: NO_TOKEN };
  }

  let closing: Promise<void> | null = null;
  return {
    settings,
    async push(request) {
      const end = await withToken(
        (token) => requests.push(token, request),
        (answer) => {
          const read = readPushAnswer(answer);
          return read.kind === 'TOKEN' ? null : read;
        },
      );
      if ('read' in end) return end.read;
      if (end.failed.started) return { kind: 'LOST', reason: 'answer_lost' };
      const reason = end.failed === NO_TOKEN ? 'no_token' : 'provider_unreachable';
      return { kind: 'RETRY', reason, resultCode: null };
    },
    async query(checkoutRequestId) {
      const end = await withToken((token) => requests.query(token, checkoutRequestId), readQueryAnswer);
      if ('read' in end) return end.read;
      return { kind: 'OPEN', reason: 'no_answer_to_query', resultCode: null };
    },
    async status(request) {
      const end = await withToken((token) => requests.status(token, request), readStatusAnswer);
      return 'read' in end && end.read;
    },
    close() {
      closing ??= pool.close();
      return closing;
    },
  };
}

function openPool({ baseUrl }: DarajaSettings): Pool {
  return new Pool(new URL(baseUrl).origin, {
    connections: 16,
    pipelining: 1,
    // HTTP/2 takes up requests again on its own when a connection goes away.
    allowH2: false,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    // A connection that the other side closes while a request leaves makes its outcome unknown, so idle ones go early.
    keepAliveTimeout: 4_000,
    keepAliveMaxTimeout: 30_000,
    // Every request has a deadline of its own.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

/** The request has not left. */
interface Unsent {
  readonly started: false;
}

const NO_TOKEN: Unsent = { started: false };
