/**
 * Why a message was not accepted. The code is stored with the message and counted; the sentence tells the person
 * who looks at it what to do.
 */
export const SEND_CODES = {
  invalid_number: 'The number is not one that can be texted. Correct it with the customer.',
  unsupported_number: 'The provider does not serve numbers of this kind. Reach the customer otherwise.',
  hash_unsupported: 'The provider takes no hashed number of this network. Find the customer by the payment.',
  blacklisted:
    'The customer has opted out of messages from this sender. They can opt in again at their network.',
  do_not_disturb: 'The customer has asked their network not to be disturbed. Reach them otherwise.',
  message_empty: 'The message has no text. Find out who queued it.',
  invalid_sender:
    'The provider does not know the sender id. Register it for the network, or correct the setting.',
  insufficient_balance: 'The account at the provider is empty. Top it up; sending goes on by itself.',
  no_route: 'The provider has no way to this number at present. It is tried again.',
  gateway_rejected: "The network's gateway did not take the message. It is tried again.",
  risk_hold: 'The provider holds the message back to examine it, and may still release it. Ask its support.',
  provider_error: 'The provider failed on the message; it may have been sent. Look in its dashboard.',
  gateway_error: 'The gateway failed on the message; it may have been sent. Look in its dashboard.',
  unknown_status:
    'The provider answered what is not in its list; the message may have been sent. Look there.',
  authentication: 'The provider does not accept the user name and API key. Correct the settings.',
  throttled: 'The provider asks for fewer requests at a time. Sending slows down by itself.',
  request_rejected: 'The provider did not take the request as it was. See whether the settings are right.',
  wrong_endpoint: 'What answers at the address is not the service. Correct the address in the settings.',
  not_connected: 'The provider could not be reached. See whether its address is right and the network up.',
  no_free_connection:
    'No connection to the provider became free in time. It is slow, or more connections are needed.',
  cancelled: 'The sending was given up before the request left. It is tried again.',
  abandoned: 'The sending was given up after the request had left; the message may have been sent.',
  timeout: 'The provider did not answer in time; the message may have been sent. Look in its dashboard.',
  connection_lost: 'The connection broke before the answer; the message may have been sent. Look there.',
  server_error: "The provider's server failed; the message may have been sent. Look in its dashboard.",
  answer_unreadable: 'The answer could not be read; the message may have been sent. Look there.',
} as const;

export type SendCode = keyof typeof SEND_CODES;

/** Longer words of a provider are a page of a proxy, not a reason. */
const MAX_WORDS = 80;

/** The sentence of a code, with what the provider or the system said in particular. */
export function reasonOf(code: SendCode, words = ''): string {
  const said = harmless(words);
  return said === '' ? SEND_CODES[code] : `${SEND_CODES[code]} (${said})`;
}

/**
 * Words that may be stored and logged: numbers that could be a phone number, and hashes, are taken out, and so is
 * what no database or log line can hold.
 */
export function harmless(words: string): string {
  return words
    .slice(0, 1_000)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Z}]+/gu, ' ')
    .replace(/[0-9a-f]{16,}/gi, '#')
    .replace(/\+?\d[\d X*.-]{3,}[\dX*]/g, '#')
    .trim()
    .slice(0, MAX_WORDS);
}
