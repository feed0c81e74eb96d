/** The headers of every answer, also of those that no route gives. */
export function commonHeaders(requestId: string) {
  return {
    'x-request-id': requestId,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  } as const;
}
