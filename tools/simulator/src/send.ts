import type { C2bMessage } from './c2b-message.ts';
import type { Target } from './target.ts';

/** `callback`: what became of a request to a phone. */
type CallbackKind = 'confirmation' | 'validation' | 'callback';

/** What the service answered to one message. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  /** Whether M-PESA would take the payment as acknowledged: 2xx and `ResultCode` 0. */
  readonly accepted: boolean;
}

/** Reports a payment, as M-PESA does after the money has moved. Rejects when there was no answer at all. */
export function sendConfirmation(target: Target, message: C2bMessage): Promise<Answer> {
  return post(target, { kind: 'confirmation', body: JSON.stringify(message), headers: headersOf(message) });
}

/** Asks whether a payment may go on, as M-PESA does before the money moves. */
export function sendValidation(target: Target, message: C2bMessage): Promise<Answer> {
  return post(target, { kind: 'validation', body: JSON.stringify(message), headers: headersOf(message) });
}

/** Sends any bytes where a message is expected. */
export function sendRaw(target: Target, kind: CallbackKind, body: string | Buffer): Promise<Answer> {
  return post(target, { kind, body, headers: {} });
}

/**
 * Sends one confirmation many times at once, spread evenly over the targets: what a service must withstand when a
 * sender repeats itself. Resolves with all answers, in the order of sending.
 */
export function sendStorm(targets: readonly Target[], message: C2bMessage, count: number): Promise<Answer[]> {
  return sendTogether(targets, Array<C2bMessage>(count).fill(message));
}

/** Sends different confirmations at once, spread evenly over the targets. */
export async function sendTogether(
  targets: readonly Target[],
  messages: readonly C2bMessage[],
): Promise<Answer[]> {
  const sending = messages.map((message, at) => {
    const target = targets[at % targets.length];
    if (target === undefined) throw new RangeError('there is no target to send to; open at least one');
    return sendConfirmation(target, message);
  });
  return Promise.all(sending);
}

/** M-PESA's sender adds the short code as a header of its own. */
function headersOf(message: C2bMessage): Record<string, string> {
  return { businessshortcode: message.BusinessShortCode };
}

interface Post {
  readonly kind: CallbackKind;
  readonly body: string | Buffer;
  readonly headers: Record<string, string>;
}

async function post({ pool, token }: Target, { kind, body, headers }: Post): Promise<Answer> {
  const response = await pool.request({
    method: 'POST',
    path: `/${kind === 'callback' ? 'stk' : 'c2b'}/${encodeURIComponent(token)}/${kind}`,
    headers: {
      'user-agent': 'ReactorNetty/1.2.9',
      accept: '*/*',
      'content-type': 'application/json;charset=UTF-8',
      ...headers,
    },
    body,
  });
  const text = await response.body.text();
  const accepted = response.statusCode >= 200 && response.statusCode < 300 && resultCodeOf(text) === '0';
  return { status: response.statusCode, body: text, accepted };
}

/** M-PESA takes the code as a number or as a text. */
function resultCodeOf(text: string): string | null {
  return /"ResultCode"\s*:\s*"?([A-Z0-9]+)"?/.exec(text)?.[1] ?? null;
}
