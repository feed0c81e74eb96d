import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, request } from 'undici';
import { isPrivateHost } from '../daraja/url-rules.ts';
import { signatureHeaders } from './signature.ts';
import type { SignedMessage } from './signature.ts';

/** What an endpoint answered. `status` is null where nothing came; then `reason` is a code of the system or of ours. */
export interface WebhookAnswer {
  readonly status: number | null;
  readonly reason: string | null;
}

export interface WebhookClient {
  /** Sends a message once. It never rejects. */
  post(
    endpoint: { readonly url: string; readonly secret: string },
    message: SignedMessage,
  ): Promise<WebhookAnswer>;
  close(): Promise<void>;
}

export interface WebhookClientOptions {
  readonly timeoutMs: number;
  /** Connect to public addresses only. */
  readonly isPublicOnly: boolean;
}

const CONNECT_TIMEOUT_MS = 5_000;

/** Of a longer answer the rest is not read. */
const MAX_ANSWER_BYTES = 16_384;

/** Opens a client. Nothing connects before the first message. Redirects are not followed: they are no delivery. */
export function createWebhookClient({ timeoutMs, isPublicOnly }: WebhookClientOptions): WebhookClient {
  const agent = new Agent({
    connections: 32,
    pipelining: 1,
    allowH2: false,
    connect: { timeout: CONNECT_TIMEOUT_MS, ...(isPublicOnly ? { lookup: lookupPublic } : {}) },
    // Every message has a deadline of its own.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return {
    async post({ url, secret }, message) {
      try {
        const { statusCode, body } = await request(url, {
          dispatcher: agent,
          method: 'POST',
          headers: [
            'content-type',
            'application/json',
            'user-agent',
            'daftari-webhooks',
            ...signatureHeaders(secret, message),
          ],
          body: message.body,
          signal: AbortSignal.timeout(timeoutMs),
        });
        // What it says belongs to the endpoint: nobody keeps it. The status is the answer.
        await body.dump({ limit: MAX_ANSWER_BYTES }).catch(() => undefined);
        const isDelivered = statusCode >= 200 && statusCode < 300;
        return { status: statusCode, reason: isDelivered ? null : `http_${String(statusCode)}` };
      } catch (error) {
        return { status: null, reason: reasonOf(error) };
      }
    },
    close: () => agent.close(),
  };
}

/** Resolves a name as usual, and refuses it where any of its addresses is private: a name may change after its registration. */
const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const isPrivate = error === null && addresses.some(({ address }) => isPrivateHost(address));
    const failure = isPrivate
      ? Object.assign(new Error('a private address'), { code: 'private_address' })
      : error;
    if (failure !== null) callback(failure, '', 0);
    else if (options.all === true) callback(null, addresses);
    else callback(null, addresses[0]?.address ?? '', addresses[0]?.family ?? 0);
  });
};

/** The longest that is stored. */
const MOST_CHARACTERS = 40;

/** The code of an error: its message may name addresses. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error.name === 'TimeoutError') return 'timeout';
  const first: unknown = error instanceof AggregateError ? (error.errors as unknown[])[0] : error;
  const code: unknown = first instanceof Error && 'code' in first ? first.code : undefined;
  return (typeof code === 'string' ? code : error.name).slice(0, MOST_CHARACTERS);
}
