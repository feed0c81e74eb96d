import type { SendCode } from '../send-codes.ts';

/** What a status of the provider means for a message. */
export type Verdict =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused' | 'unknown'; readonly code: SendCode }
  | { readonly kind: 'retry'; readonly code: SendCode; readonly scope: 'message' | 'provider' };

const ACCEPTED: Verdict = { kind: 'accepted' };
const refused = (code: SendCode): Verdict => ({ kind: 'refused', code });
const unknown = (code: SendCode): Verdict => ({ kind: 'unknown', code });
const retry = (code: SendCode, scope: 'message' | 'provider'): Verdict => ({ kind: 'retry', code, scope });

/**
 * The codes that Africa's Talking lists for a recipient, with what each lets us conclude.
 *
 * A wrong sender id and an empty account meet every message, so the provider is paused until people act. A held
 * message may be released, and a failure inside the provider (500) or between it and the network (501) does not say
 * on which side of the sending it happened: sending again could reach the customer twice. Where the gateway rejected
 * the message (502) or no route was found (407), it did not go out, and another time it may.
 */
export const AFRICAS_TALKING_CODES: readonly {
  readonly code: number;
  readonly name: string;
  readonly verdict: Verdict;
}[] = [
  { code: 100, name: 'Processed', verdict: ACCEPTED },
  { code: 101, name: 'Sent', verdict: ACCEPTED },
  { code: 102, name: 'Queued', verdict: ACCEPTED },
  { code: 401, name: 'RiskHold', verdict: unknown('risk_hold') },
  { code: 402, name: 'InvalidSenderId', verdict: retry('invalid_sender', 'provider') },
  { code: 403, name: 'InvalidPhoneNumber', verdict: refused('invalid_number') },
  { code: 404, name: 'UnsupportedNumberType', verdict: refused('unsupported_number') },
  { code: 405, name: 'InsufficientBalance', verdict: retry('insufficient_balance', 'provider') },
  { code: 406, name: 'UserInBlacklist', verdict: refused('blacklisted') },
  { code: 407, name: 'CouldNotRoute', verdict: retry('no_route', 'message') },
  { code: 409, name: 'DoNotDisturbRejection', verdict: refused('do_not_disturb') },
  { code: 500, name: 'InternalServerError', verdict: unknown('provider_error') },
  { code: 501, name: 'GatewayError', verdict: unknown('gateway_error') },
  { code: 502, name: 'RejectedByGateway', verdict: retry('gateway_rejected', 'message') },
];

const BY_CODE = new Map(AFRICAS_TALKING_CODES.map(({ code, verdict }) => [code, verdict]));
/** Spelt with capitals here and there: the send answer says `UserInBlacklist`, the report `UserInBlackList`. */
const BY_NAME = new Map([
  ...AFRICAS_TALKING_CODES.map(({ name, verdict }) => [name.toLowerCase(), verdict] as const),
  // The word that stands beside the codes 100 to 102.
  ['success', ACCEPTED] as const,
]);

/** The meaning of a recipient's status: its code decides, and its word only where there is no code. */
export function verdictOf(code: number | null, name: string): Verdict {
  const found = code === null ? BY_NAME.get(name.trim().toLowerCase()) : BY_CODE.get(code);
  return found ?? unknown('unknown_status');
}

/**
 * The meaning of an answer without recipients, whose `Message` is the word. Nobody is named in it, so it cannot
 * accept anything.
 */
export function wholeRequestVerdict(message: string): Verdict {
  const found = verdictOf(null, message);
  return found.kind === 'accepted' ? unknown('unknown_status') : found;
}
