import { problemResponse } from '@repo/http';

/** What the descriptions of all guarded routes begin with. */
export function secured(tag: string, summary: string) {
  return { tags: [tag], summary, security: [{ apiKey: [] }] };
}

/** What every guarded route may answer. */
export const KEY_PROBLEMS = {
  401: problemResponse('The API key is missing or unknown.'),
  403: problemResponse('The API key lacks the scope of this route.'),
  503: problemResponse('The service cannot do this at the moment; `retry-after` says when to send it again.'),
};

/** What routes answer that could be used to find wallets and transactions by trying. */
export const LIMIT_PROBLEM = {
  429: problemResponse(
    'The API key has asked for too many; `retry-after` says how long to wait, in seconds.',
  ),
};
