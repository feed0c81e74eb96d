/** Shows people the cause of a failure: the customer, the network or our account. */
export interface FailureReason {
  /** As the provider writes it. */
  readonly name: string;
  /** Ours, for counting. */
  readonly code: FailureCode;
  readonly explanation: string;
}

type FailureCode =
  | 'insufficient_credit'
  | 'invalid_link'
  | 'inactive'
  | 'blacklisted'
  | 'suspended'
  | 'other_network'
  | 'not_subscribed'
  | 'no_such_number'
  | 'delivery_failure'
  | 'do_not_disturb'
  | 'unknown_reason';

/** The reasons that Africa's Talking lists, spelt as it spells them. */
export const failureReasons: readonly FailureReason[] = [
  {
    name: 'InsufficientCredit',
    code: 'insufficient_credit',
    explanation: 'The customer has no airtime for a premium message.',
  },
  { name: 'InvalidLinkId', code: 'invalid_link', explanation: 'A premium message answered no request.' },
  { name: 'UserIsInactive', code: 'inactive', explanation: 'The line is inactive at its network.' },
  {
    name: 'UserInBlackList',
    code: 'blacklisted',
    explanation: 'The customer has opted out of messages from this sender.',
  },
  {
    name: 'UserAccountSuspended',
    code: 'suspended',
    explanation: 'The network has suspended the line.',
  },
  {
    name: 'NotNetworkSubcriber',
    code: 'other_network',
    explanation: 'The number is not on the network that the message was handed to.',
  },
  {
    name: 'UserNotSubscribedToProduct',
    code: 'not_subscribed',
    explanation: 'The customer has not subscribed to this product.',
  },
  { name: 'UserDoesNotExist', code: 'no_such_number', explanation: 'The network knows no such number.' },
  {
    name: 'DeliveryFailure',
    code: 'delivery_failure',
    explanation: 'The network did not deliver the message and gave no reason.',
  },
  {
    name: 'DoNotDisturbRejection',
    code: 'do_not_disturb',
    explanation: 'The customer has asked their network not to be disturbed.',
  },
];

const byName = new Map(failureReasons.map((reason) => [reason.name.toLowerCase(), reason]));

/** The provider misspells one of its words; should it mend that, the reason is the same. */
const mendedSpellings: Readonly<Record<string, string>> = { notnetworksubscriber: 'notnetworksubcriber' };

/** Finds a reason whatever its capitals. A word that is not listed is kept as it is. */
export function failureReasonOf(text: string): FailureReason {
  const name = text.toLowerCase();
  const listed = byName.get(mendedSpellings[name] ?? name);
  if (listed !== undefined) return listed;
  return {
    name: text,
    code: 'unknown_reason',
    explanation: 'The provider gave a reason that is not listed.',
  };
}
