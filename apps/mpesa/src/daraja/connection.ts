import type { Handle } from '@repo/db';
import { exchange } from '@repo/http';
import type { Exchange, ExchangeRequest, HttpAnswer } from '@repo/http';
import { Pool } from 'undici';
import { readTokenAnswer } from './answers.ts';
import type { DarajaSettings } from './settings.ts';
import { createTokenSeal } from './token-seal.ts';
import { createSharedTokens } from './tokens.ts';
import type { SharedToken } from './tokens.ts';

/** Requests to Daraja with the token that all processes share. Nothing of it rejects for what Daraja or the network does. */
export interface DarajaConnection {
  /** Sends with the shared token, and once more with the next one when it is refused: then nothing was looked at. */
  ask<Read>(
    make: (token: string) => ExchangeRequest,
    read: (answer: HttpAnswer) => Read | null,
  ): Promise<End<Read>>;
  checkToken(): Promise<TokenCheck>;
  close(): Promise<void>;
}

/** What came of a request with a token. */
export type End<Read> =
  { readonly read: Read } | { readonly failed: Unsent | Extract<Exchange, { kind: 'failed' }> };

/** The request has not left. */
interface Unsent {
  readonly started: false;
}

export const NO_TOKEN: Unsent = { started: false };

/** `refused`: M-PESA answered and gave none; `status` is of its answer. */
export type TokenCheck =
  | { readonly kind: 'valid' }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** Answers have less than one KiB, but for a page of pulled payments with some 30. */
const MAX_ANSWER_BYTES = 1_024 * 1_024;

const DEFAULT_TIMEOUT_MS = 20_000;
const CONNECT_TIMEOUT_MS = 5_000;

/** Opens a connection. Nothing connects before the first request. */
export function openConnection(
  db: Handle,
  settings: DarajaSettings,
  tokenRequest: () => ExchangeRequest,
): DarajaConnection {
  const timeoutMs = settings.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const pool = openPool(settings);
  const send = (request: ExchangeRequest): Promise<Exchange> =>
    exchange(pool, request, { timeoutMs, maxBytes: MAX_ANSWER_BYTES });
  let lastFetch: Exchange | null = null;
  const tokens = createSharedTokens({
    db,
    seal: createTokenSeal(settings),
    leaseMs: timeoutMs + 2_000,
    async fetch() {
      const end = await send(tokenRequest());
      lastFetch = end;
      return end.kind === 'answer' ? readTokenAnswer(end.answer) : null;
    },
  });
  let closing: Promise<void> | null = null;
  return {
    async ask(make, read) {
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
    },
    async checkToken() {
      return (await tokens.get()) === null ? whyNoToken(lastFetch) : { kind: 'valid' };
    },
    close() {
      closing ??= pool.close();
      return closing;
    },
  };
}

function whyNoToken(last: Exchange | null): TokenCheck {
  if (last?.kind === 'answer') return { kind: 'refused', status: last.answer.status };
  const reason = last === null ? 'another process is fetching one' : `${last.why} ${last.words}`.trim();
  return { kind: 'unreachable', reason };
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
