import { FAILURE_REASONS } from '../failure-reasons.ts';
import type { FailureReason } from '../failure-reasons.ts';

/** The reasons that Africa's Talking lists, in small letters, and one that it misspells as it should be. */
const REASONS: ReadonlyMap<string, FailureReason> = new Map([
  ['insufficientcredit', 'no_airtime'],
  ['invalidlinkid', 'invalid_link'],
  ['userisinactive', 'inactive'],
  ['userinblacklist', 'blacklisted'],
  ['useraccountsuspended', 'suspended'],
  ['notnetworksubcriber', 'other_network'],
  ['notnetworksubscriber', 'other_network'],
  ['usernotsubscribedtoproduct', 'not_subscribed'],
  ['userdoesnotexist', 'no_such_number'],
  ['deliveryfailure', 'not_said'],
  ['donotdisturbrejection', 'do_not_disturb'],
]);

/** A reason in a sentence of ours, whatever its capitals; null for a word that is not listed. */
export function explanationOf(word: string): string | null {
  const reason = REASONS.get(word.toLowerCase());
  return reason === undefined ? null : FAILURE_REASONS[reason];
}
