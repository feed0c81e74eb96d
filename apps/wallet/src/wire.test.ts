import { describedPaths, findAnswerFaults, sendBytes, wireRequests } from '@repo/http/wire';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { startTestService } from './testing.ts';

test('whatever is sent, the service does not fail, and every refusal is a problem document', async () => {
  await using service = await startTestService();
  const paths = await describedPaths(service.url);
  await fc.assert(
    fc.asyncProperty(wireRequests(paths), async ({ method, text }) => {
      expect(findAnswerFaults(method, await sendBytes(service.url, text))).toEqual([]);
    }),
    { numRuns: 500 },
  );
});
