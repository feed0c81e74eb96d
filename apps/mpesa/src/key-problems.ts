import { problemResponse } from '@repo/http';

/** What every route behind a key may answer. */
export const KEY_PROBLEMS = {
  401: problemResponse('The API key is missing or unknown.'),
  403: problemResponse('The API key lacks the scope of this route.'),
  503: problemResponse('The service cannot do this at the moment; `retry-after` says when to send it again.'),
};
