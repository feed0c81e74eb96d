import { SEND_CODES } from './send-codes.ts';

/** Why a message that the provider took was not delivered, in a sentence for the person who looks at it. */
export const FAILURE_REASONS = {
  blacklisted: SEND_CODES.blacklisted,
  do_not_disturb: SEND_CODES.do_not_disturb,
  no_such_number: 'The network knows no such number. Correct it with the customer.',
  inactive: 'The line is inactive at its network. Reach the customer otherwise.',
  suspended: 'The network has suspended the line. Reach the customer otherwise.',
  other_network: 'The number is not on the network that the message was handed to. Ask the provider.',
  no_airtime: 'The customer has no airtime for a premium message.',
  invalid_link: 'A premium message answered no request.',
  not_subscribed: 'The customer has not subscribed to this product.',
  not_said: 'The network did not deliver the message and gave no reason.',
} as const;

export type FailureReason = keyof typeof FAILURE_REASONS;
