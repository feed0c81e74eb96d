import type { ExchangeRequest } from '@repo/http';
import type { OutgoingMessage, Recipient } from '../provider.ts';
import type { SendCode } from '../send-codes.ts';

export interface AfricasTalkingOptions {
  /** `https://api.africastalking.com`, or `https://api.sandbox.africastalking.com` for the user `sandbox`. */
  readonly baseUrl: string;
  readonly username: string;
  readonly apiKey: string;
  /** The name or short code that customers see, registered at the provider; its own when absent. */
  readonly senderId?: string;
  /** From the call of `send` to the end of the answer. Default: 15,000. */
  readonly timeoutMs?: number;
  /** To the end of the TLS handshake. Default: 5,000. */
  readonly connectTimeoutMs?: number;
  /** The most connections, each with one request at a time. Default: 32. */
  readonly connections?: number;
}

/** A request, or why none is worth making. */
type PreparedRequest =
  { readonly ok: true; readonly request: ExchangeRequest } | { readonly ok: false; readonly code: SendCode };

export interface Requests {
  send(message: OutgoingMessage): PreparedRequest;
  readonly balance: ExchangeRequest;
}

/** Digits with a country code (E.164). A mask such as `2547 ***** 126` is none. */
const SENDABLE_NUMBER = /^[1-9]\d{7,14}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** Writes requests of Africa's Talking; what all have in common is written once. */
export function createRequests(options: AfricasTalkingOptions): Requests {
  const { username, apiKey, senderId } = options;
  // Whoever mounts the service below a path gives that path in the base URL.
  const base = new URL(options.baseUrl).pathname.replace(/\/$/, '');
  const common = ['apiKey', apiKey, 'accept', 'application/json'];
  const formHeaders = [...common, 'content-type', 'application/x-www-form-urlencoded'];
  const jsonHeaders = [...common, 'content-type', 'application/json'];
  const user = `username=${encodeURIComponent(username)}`;
  const from = senderId === undefined ? '' : `&from=${encodeURIComponent(senderId)}`;
  const formStart = `${user}&bulkSMSMode=1${from}&to=%2B`;

  function formRequest(number: string, text: string): ExchangeRequest {
    const body = `${formStart}${number}&message=${encodeURIComponent(text)}`;
    return { method: 'POST', path: `${base}/version1/messaging`, headers: formHeaders, body };
  }

  function hashRequest({ hash, network }: Extract<Recipient, { kind: 'hash' }>, text: string) {
    const fields = {
      username,
      message: text,
      senderId,
      phoneNumbers: [],
      maskedNumber: hash,
      telco: network,
    };
    const path = `${base}/version1/messaging/bulk`;
    return { method: 'POST', path, headers: jsonHeaders, body: JSON.stringify(fields) } as const;
  }

  function send({ recipient, text }: OutgoingMessage): PreparedRequest {
    // Half of a surrogate pair cannot be written as UTF-8.
    const message = text.toWellFormed();
    if (message === '') return { ok: false, code: 'message_empty' };
    if (recipient.kind === 'number') {
      if (!SENDABLE_NUMBER.test(recipient.number)) return { ok: false, code: 'invalid_number' };
      return { ok: true, request: formRequest(recipient.number, message) };
    }
    if (recipient.network !== 'Safaricom') return { ok: false, code: 'hash_unsupported' };
    if (!SHA256.test(recipient.hash)) return { ok: false, code: 'invalid_number' };
    return { ok: true, request: hashRequest(recipient, message) };
  }

  const balancePath = `${base}/version1/user?${user}`;
  return { send, balance: { method: 'GET', path: balancePath, headers: common, body: null } };
}
