import { Pool } from 'undici';
import { readBalance, readSendAnswer } from './answer.ts';
import { createRequests } from './request.ts';
import type { AfricasTalkingOptions } from './request.ts';
import { exchange } from '@repo/http';
import type { Exchange } from '@repo/http';
import type { OutgoingMessage, Provider, SendAnswer } from '../provider.ts';
import { reasonOf } from '../send-codes.ts';
import type { SendCode } from '../send-codes.ts';

/** An answer for one recipient has 300 bytes. */
const MAX_ANSWER_BYTES = 64 * 1_024;

/**
 * Africa's Talking, bulk SMS. Numbers go by the form endpoint, which the sandbox has as well; Safaricom's hashes by
 * the newer JSON endpoint, which alone takes them.
 */
export function createAfricasTalking(options: AfricasTalkingOptions): Provider {
  const { timeoutMs = 15_000, connectTimeoutMs = 5_000, connections = 32 } = options;
  const requests = createRequests(options);
  const pool = new Pool(new URL(options.baseUrl).origin, {
    connections,
    pipelining: 1,
    // HTTP/2 takes up requests again on its own when a connection goes away.
    allowH2: false,
    connect: { timeout: connectTimeoutMs },
    // A connection that the other side closes while a request leaves makes its outcome unknown, so idle ones go early.
    keepAliveTimeout: 4_000,
    keepAliveMaxTimeout: 30_000,
    // Every request has a deadline of its own.
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  async function send(message: OutgoingMessage, signal?: AbortSignal): Promise<SendAnswer> {
    const prepared = requests.send(message);
    if (!prepared.ok) {
      return { kind: 'refused', code: prepared.code, reason: reasonOf(prepared.code), facts: null };
    }
    const limits = { timeoutMs, maxBytes: MAX_ANSWER_BYTES, signal };
    const end = await exchange(pool, prepared.request, limits);
    if (end.kind === 'failed') return answerOf(end);
    const { recipient, text } = message;
    return readSendAnswer(end.answer, {
      number: recipient.kind === 'number' ? recipient.number : null,
      text,
    });
  }

  async function balance() {
    const end = await exchange(pool, requests.balance, { timeoutMs, maxBytes: MAX_ANSWER_BYTES });
    return end.kind === 'answer' ? readBalance(end.answer) : null;
  }

  let closing: Promise<void> | null = null;
  function close(): Promise<void> {
    closing ??= pool.close();
    return closing;
  }

  return { name: 'africas-talking', acceptsHashes: true, send, balance, close };
}

type Failed = Extract<Exchange, { kind: 'failed' }>;

/** Nothing had left: the message waits, and the provider with it unless it was we who gave up. */
const BEFORE_START: Readonly<Record<Failed['why'], SendCode>> = {
  aborted: 'cancelled',
  timeout: 'no_free_connection',
  error: 'not_connected',
  too_large: 'answer_unreadable',
};

/** Something may have left, so the message may have been sent. */
const AFTER_START: Readonly<Record<Failed['why'], SendCode>> = {
  aborted: 'abandoned',
  timeout: 'timeout',
  error: 'connection_lost',
  too_large: 'answer_unreadable',
};

function answerOf({ started, why, words }: Failed): SendAnswer {
  const code = (started ? AFTER_START : BEFORE_START)[why];
  const refusal = { code, reason: reasonOf(code, words), facts: null };
  if (started) return { kind: 'unknown', ...refusal };
  return { kind: 'retry', scope: why === 'aborted' ? 'message' : 'provider', ...refusal };
}
