import type { ClaimedSms, SmsSettlement } from '@repo/db';
import type { Provider, ProviderFacts, Recipient, SendAnswer } from '../providers/provider.ts';
import { reasonOf } from '../providers/send-codes.ts';
import { prepareText } from '../text/prepare-text.ts';
import type { PreparedText } from '../text/prepare-text.ts';
import { pauseAfter } from './back-off.ts';
import type { BackOff } from './back-off.ts';
import type { Verdict } from './circuit.ts';

/** One attempt, from the claimed row to what is to be recorded of it. */
export interface Attempt {
  readonly prepared: PreparedText;
  readonly answer: SendAnswer;
}

/** When what certainly was not sent is tried again, and how often. */
export interface RetryRules {
  readonly backOff: BackOff;
  /** Attempts of one message that may fail for a reason of its own. */
  readonly maxAttempts: number;
}

/** Sends a claimed message, once. Never rejects: the provider's `send` does not. */
export async function attemptSending(
  provider: Provider,
  message: ClaimedSms,
  signal: AbortSignal,
): Promise<Attempt> {
  const prepared = prepareText(message.message);
  const recipient = recipientOf(message);
  if (recipient === null || (recipient.kind === 'hash' && !provider.acceptsHashes)) {
    const code = recipient === null ? 'invalid_number' : 'hash_unsupported';
    return { prepared, answer: { kind: 'refused', code, reason: reasonOf(code), facts: null } };
  }
  return {
    prepared,
    answer: await provider.send({ id: message.id, recipient, text: prepared.text }, signal),
  };
}

/** Only M-PESA hashes its payers' numbers, so who can undo it is Safaricom. */
function recipientOf({ recipient, recipientHash }: ClaimedSms): Recipient | null {
  if (recipient !== null) return { kind: 'number', number: recipient };
  return recipientHash === null ? null : { kind: 'hash', hash: recipientHash, network: 'Safaricom' };
}

/**
 * What an answer says of the provider. An outcome that is not known counts as its failure: while it does not answer,
 * every further message would end with a person.
 */
export function verdictOf(answer: SendAnswer): Verdict {
  if (answer.kind === 'accepted') return 'works';
  const { code } = answer;
  if (code === 'cancelled' || code === 'abandoned' || code === 'hash_unsupported') return 'nothing';
  if (answer.kind === 'refused') return answer.facts === null ? 'nothing' : 'works';
  return answer.kind === 'unknown' || answer.scope === 'provider' ? 'fails' : 'works';
}

/** As many as the database can count, nearly: weeks of a provider that is down. */
const MOST_ATTEMPTS = 30_000;

/** What is to be recorded of an attempt. */
export function settlementOf(
  message: ClaimedSms,
  { prepared, answer }: Attempt,
  rules: RetryRules,
): SmsSettlement {
  const settlement = {
    id: message.id,
    attempt: message.attempt,
    expectedParts: prepared.parts,
    encoding: prepared.encoding,
    message: prepared.text === message.message ? null : prepared.text,
  };
  if (answer.kind === 'accepted') return { ...settlement, outcome: 'accepted', ...chargeOf(answer) };
  const { facts, code, reason } = answer;
  const failure = {
    ...settlement,
    ...(facts === null ? {} : chargeOf(facts)),
    errorCode: code,
    errorMessage: reason,
  };
  if (answer.kind !== 'retry') return { ...failure, outcome: answer.kind };
  // The provider's own trouble costs no message its chances: age ends those, and not the number of attempts.
  const isOwnTrouble = answer.scope === 'message' && code !== 'cancelled';
  if (message.attempt >= (isOwnTrouble ? rules.maxAttempts : MOST_ATTEMPTS)) {
    const tried = `It was tried ${String(message.attempt)} times. ${reason}`;
    return { ...failure, outcome: 'refused', errorCode: 'attempts_exhausted', errorMessage: tried };
  }
  return { ...failure, outcome: 'retry', retryAfterMs: retryAfter(message.attempt, answer, rules) };
}

/** What the provider's trouble delays is tried soon after that is over; the circuit decides when. */
const LONGEST_PROVIDER_PAUSE_MS = 30_000;

function retryAfter(
  attempt: number,
  answer: Extract<SendAnswer, { kind: 'retry' }>,
  { backOff }: RetryRules,
): number {
  if (answer.code === 'cancelled') return 0;
  const pauseMs = pauseAfter(attempt, backOff);
  return answer.scope === 'message' ? pauseMs : Math.min(pauseMs, LONGEST_PROVIDER_PAUSE_MS);
}

function chargeOf({ providerMessageId, cost, currency, parts }: ProviderFacts) {
  return { providerMessageId, cost, currency, parts };
}
