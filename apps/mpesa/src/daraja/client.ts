import type { Handle, PaymentVerdict } from '@repo/db';
import { readPushAnswer, readQueryAnswer, readStatusAnswer } from './answers.ts';
import type { PushAnswer } from './answers.ts';
import { NO_TOKEN, openConnection } from './connection.ts';
import type { End, TokenCheck } from './connection.ts';
import { readPullAnswer } from './pull-answer.ts';
import type { PullAnswer, PullRequest } from './pull-answer.ts';
import { readPullRegistered, readRegistered } from './registration.ts';
import type { PullRegistration, Registered, UrlRegistration } from './registration.ts';
import { createRequests } from './requests.ts';
import type { PushRequest, StatusRequest } from './requests.ts';
import type { DarajaSettings } from './settings.ts';

/** Safaricom's interface to M-PESA, as far as payments need it. Nothing of it rejects for what Daraja or the network does. */
export interface Daraja {
  readonly settings: DarajaSettings;
  /** Asks a customer's phone for a payment, at most once. */
  push(request: PushRequest): Promise<Exclude<PushAnswer, { kind: 'TOKEN' }>>;
  /** Asks what became of a request. */
  query(checkoutRequestId: string): Promise<PaymentVerdict>;
  /** Asks about a receipt; whether the question was taken. The answer comes to `resultUrl`, later. */
  status(request: StatusRequest): Promise<boolean>;
  /** Says where payments to a short code shall be reported. */
  registerUrls(registration: UrlRegistration): Promise<Registered>;
  /** Asks that payments to a short code may be pulled. */
  registerPull(registration: PullRegistration): Promise<Registered>;
  /** A page of the payments that M-PESA has; also where nobody answered it is refused. */
  pull(request: PullRequest): Promise<PullAnswer>;
  /** Whether a token can be had, and if not, why: what the consumer key and secret are tried with. */
  checkToken(): Promise<TokenCheck>;
  close(): Promise<void>;
}

/** Opens a client. Nothing connects before the first request. */
export function createDaraja(db: Handle, settings: DarajaSettings): Daraja {
  const requests = createRequests(settings);
  const connection = openConnection(db, settings, requests.token);
  return {
    settings,
    checkToken: () => connection.checkToken(),
    close: () => connection.close(),
    async pull(request) {
      const end = await connection.ask((token) => requests.pull(token, request), readPullAnswer);
      if ('read' in end) return end.read;
      const text = 'why' in end.failed ? `${end.failed.why} ${end.failed.words}`.trim() : 'no token';
      return { kind: 'refused', code: 'no_answer', text };
    },
    async push(request) {
      const end = await connection.ask(
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
      const end = await connection.ask((token) => requests.query(token, checkoutRequestId), readQueryAnswer);
      if ('read' in end) return end.read;
      return { kind: 'OPEN', reason: 'no_answer_to_query', resultCode: null };
    },
    async status(request) {
      const end = await connection.ask((token) => requests.status(token, request), readStatusAnswer);
      return 'read' in end && end.read;
    },
    registerUrls: async (registration) =>
      registeredOf(
        await connection.ask((token) => requests.registerUrls(token, registration), readRegistered),
      ),
    registerPull: async (registration) =>
      registeredOf(
        await connection.ask((token) => requests.registerPull(token, registration), readPullRegistered),
      ),
  };
}

function registeredOf(end: End<Registered>): Registered {
  if ('read' in end) return end.read;
  const reason = 'why' in end.failed ? `${end.failed.why} ${end.failed.words}`.trim() : 'no token';
  return { kind: 'unanswered', mayBeDone: end.failed.started, reason };
}
