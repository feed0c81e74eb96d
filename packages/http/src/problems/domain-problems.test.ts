import { expect, test } from 'vitest';
import { startTestServer } from '../testing.ts';

class ShopError extends Error {
  readonly code: string;
  readonly field: string | undefined;
  readonly fault = 'too_late';

  constructor(code: string, field?: string) {
    super(`what to do about ${code}`);
    this.code = code;
    this.field = field;
  }
}

const DOMAIN = {
  catalogue: {
    closed: { kind: 'refused', title: 'The shop is closed.', advice: 'Come in the morning.' },
    unknown_shop: { kind: 'refused', status: 404, title: 'There is no such shop.', advice: 'Look around.' },
    invalid_request: { kind: 'refused', title: 'The request is wrong.', advice: 'The advice of the domain.' },
    lost: { kind: 'bug', advice: 'what only an engineer should read' },
  },
  isError: (error: unknown) => error instanceof ShopError,
} as const;

async function answerTo(error: ShopError) {
  await using service = await startTestServer(
    ({ app }) => {
      app.get('/fails', () => {
        throw error;
      });
    },
    { domain: DOMAIN },
  );
  return (await (await fetch(`${service.url}/fails`)).json()) as Record<string, unknown>;
}

test('a refusal is a 422 with the words of the error, and says which case it is', async () => {
  expect(await answerTo(new ShopError('closed'))).toMatchObject({
    status: 422,
    code: 'closed',
    title: 'The shop is closed.',
    detail: 'what to do about closed',
    reason: 'too_late',
  });
});

test('a refusal has the status of its description', async () => {
  expect(await answerTo(new ShopError('unknown_shop'))).toMatchObject({ status: 404, code: 'unknown_shop' });
});

test('a refused field is named', async () => {
  const { detail, findings } = await answerTo(new ShopError('closed', 'hour'));
  expect(detail).toContain('`findings`');
  expect(findings).toMatchObject([{ where: 'hour' }]);
});

test('a bug, and a code that the domain does not describe, are answered without their words', async () => {
  for (const code of ['lost', 'never_described', 'constructor']) {
    const body = await answerTo(new ShopError(code));
    expect(body).toMatchObject({ status: 500, code: 'internal_error' });
    expect(JSON.stringify(body)).not.toContain('what');
  }
});

test('a refusal has a page, and a code that the services share keeps its own', async () => {
  await using service = await startTestServer(() => {}, { domain: DOMAIN });
  const page = async (code: string) => (await fetch(`${service.url}/problems/${code}`)).text();
  expect(await page('closed')).toContain('Come in the morning.');
  expect(await page('invalid_request')).toContain('Correct what <code>findings</code> names');
  expect(await page('lost')).toContain('No problem has this code.');
});
