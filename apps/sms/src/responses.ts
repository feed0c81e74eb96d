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
