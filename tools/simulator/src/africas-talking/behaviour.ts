import { createHash } from 'node:crypto';

/** A message to one recipient, as it arrived. */
export interface ReceivedMessage {
  /** `+2547...` as sent, or a hash in hex. */
  readonly recipient: string;
  readonly text: string;
}

/** The delivery reports that follow a message, in the order of sending. */
export interface ReportPlan {
  readonly statuses: readonly string[];
  readonly failureReason?: string;
  /** `form` when absent. */
  readonly format?: 'form' | 'json';
  /** `after` when absent; `before` sends them all before the answer to the send request. */
  readonly when?: 'before' | 'after';
  /** The network that delivers, `63902` when absent. */
  readonly networkCode?: string;
}

/** What becomes of a message. What is not said is as usual: accepted at once, and reported as delivered. */
export type Behaviour =
  | {
      readonly kind: 'accept';
      readonly code?: 100 | 101 | 102;
      /** The forms in which accepted recipients were seen; `live` when absent. */
      readonly shape?: 'live' | 'sandbox' | 'premium' | 'string-code';
      /**
       * What the sender gets to see of the acceptance: the answer, a closed connection, half an answer, nothing
       * until it gives up, a page that is no answer, or HTTP 500.
       */
      readonly answer?: 'given' | 'dropped' | 'cut' | 'never' | 'unreadable' | 'failed';
      readonly delayMs?: number;
      readonly reports?: ReportPlan;
    }
  /** Refused for this recipient, with HTTP 201. */
  | {
      readonly kind: 'refuse';
      readonly code: number;
      /** The word beside the code; the listed one when absent. */
      readonly name?: string;
      /** `plain`: cost `0` and id `None`; `minimal`: neither; `charged`: both as if it had been sent. */
      readonly shape?: 'plain' | 'minimal' | 'charged';
    }
  /** The whole request refused by a word, with HTTP 201 and no recipients. */
  | { readonly kind: 'refuse-request'; readonly word: string }
  /** An answer of HTTP, before anything was accepted. */
  | { readonly kind: 'http'; readonly status: number; readonly body?: string; readonly retryAfter?: string }
  /** The connection is reset before anything was accepted. */
  | { readonly kind: 'reset' };

export type ChooseBehaviour = (message: ReceivedMessage) => Behaviour;

export const USUAL: Behaviour = { kind: 'accept' };

const BY_ENDING: Readonly<Record<string, Behaviour>> = {
  7001: { kind: 'accept', reports: { statuses: ['Sent', 'Success', 'Success', 'Sent'] } },
  7002: { kind: 'accept', reports: { statuses: ['Success', 'Buffered', 'Sent'] } },
  7003: { kind: 'accept', reports: { statuses: ['Success'], when: 'before' } },
  7004: { kind: 'accept', reports: { statuses: ['Teleported'] } },
  7005: { kind: 'accept', reports: { statuses: ['Sent', 'Failed'], failureReason: 'DeliveryFailure' } },
  7006: { kind: 'accept', reports: { statuses: [] } },
  7007: { kind: 'accept', reports: { statuses: ['Success'], format: 'json' } },
  7008: { kind: 'accept', reports: { statuses: ['Rejected'], failureReason: 'NotNetworkSubcriber' } },
  7009: { kind: 'accept', reports: { statuses: ['AbsentSubscriber', 'Expired'] } },
  7101: { kind: 'accept', shape: 'sandbox', code: 102 },
  7102: { kind: 'accept', shape: 'premium' },
  7103: { kind: 'accept', shape: 'string-code' },
  8001: { kind: 'accept', answer: 'dropped' },
  8002: { kind: 'reset' },
  8003: { kind: 'accept', answer: 'never' },
  8004: { kind: 'accept', delayMs: 2_000 },
  8005: { kind: 'accept', answer: 'unreadable' },
  8006: { kind: 'accept', answer: 'cut' },
  8007: { kind: 'accept', answer: 'failed' },
  8402: { kind: 'refuse-request', word: 'InvalidSenderId' },
  8403: { kind: 'refuse-request', word: 'InvalidPhoneNumber' },
  8429: { kind: 'http', status: 429, body: '{"error":"failed"}' },
  8500: { kind: 'http', status: 500, body: 'Internal Server Error' },
};

/**
 * Behaviour by the last four digits of the number: 9401 to 9502 are refused with that code less 9,000, and 7001 to
 * 8500 meet what the table above has. Every other number is served as usual.
 */
export function behaviourByNumber({ recipient }: ReceivedMessage): Behaviour {
  const ending = recipient.slice(-4);
  if (/^9[45]\d\d$/.test(ending)) return { kind: 'refuse', code: Number(ending) - 9_000 };
  return BY_ENDING[ending] ?? USUAL;
}

/** How often something happens in 10,000 messages. */
export interface Share {
  readonly in10000: number;
  readonly behaviour: Behaviour;
}

/**
 * Behaviour by chance that can be repeated: the same seed and the same message meet the same. A message that is sent
 * again is another attempt and has another chance, so that a refused one can succeed in the end.
 */
export function behaviourByChance(seed: string, shares: readonly Share[]): ChooseBehaviour {
  const attempts = new Map<string, number>();
  return ({ recipient, text }) => {
    const message = `${seed}\n${recipient}\n${text}`;
    const attempt = attempts.get(message) ?? 0;
    attempts.set(message, attempt + 1);
    const digest = createHash('sha256')
      .update(`${message}\n${String(attempt)}`)
      .digest();
    let lot = digest.readUInt32BE(0) % 10_000;
    for (const { in10000, behaviour } of shares) {
      if (lot < in10000) return behaviour;
      lot -= in10000;
    }
    return USUAL;
  };
}
