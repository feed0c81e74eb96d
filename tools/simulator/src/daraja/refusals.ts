/** An answer of the gateway that says no. The same code stands for many things: clients have to read the text. */
export interface Refusal {
  readonly status: number;
  readonly errorCode: string;
  readonly errorMessage: string;
}

function refusal(status: number, errorCode: string, errorMessage: string): Refusal {
  return { status, errorCode, errorMessage };
}

/** What the gateway is known to answer, by the names that behaviours and tests use. */
export const REFUSALS = {
  'invalid-authentication': refusal(400, '400.008.01', 'Invalid Authentication passed'),
  'invalid-grant-type': refusal(400, '400.008.02', 'Invalid grant type passed'),
  'invalid-token': refusal(404, '404.001.03', 'Invalid Access Token'),
  'missing-token': refusal(404, '404.001.04', 'Invalid Authentication Header'),
  'no-resource': refusal(404, '404.001.01', 'Resource not found'),
  'wrong-method': refusal(405, '405.001', 'Method Not Allowed'),
  'busy-subscriber': refusal(
    500,
    '500.001.1001',
    'Unable to lock subscriber, a transaction is already in process for the current subscriber',
  ),
  'wrong-credentials': refusal(500, '500.001.1001', 'Wrong credentials'),
  'no-merchant': refusal(500, '500.001.1001', 'Merchant does not exist'),
  'being-processed': refusal(500, '500.001.1001', 'The transaction is being processed'),
  'no-transaction': refusal(500, '500.001.1001', 'The transaction does not Exist'),
  'system-busy': refusal(500, '500.003.02', 'System is busy. Please try again in few minutes.'),
  'spike-arrest': refusal(500, '500.003.02', 'Error Occurred: Spike Arrest Violation'),
  throttled: refusal(429, '429.001.01', 'Too many requests'),
  'server-error': refusal(500, '500.003.1001', 'Internal Server Error'),
} as const satisfies Record<string, Refusal>;

export type RefusalName = keyof typeof REFUSALS;

/** A field that the gateway does not take. */
export function badRequest(what: string): Refusal {
  return refusal(400, '400.002.02', `Bad Request - Invalid ${what}`);
}
