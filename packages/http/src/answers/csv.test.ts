import { expect, test } from 'vitest';
import { z } from 'zod';
import { jsonOrCsv, prefersCsv, csvAnswer } from './csv.ts';
import { startTestServer } from '../testing.ts';
import type { TestServer } from '../testing.ts';

interface Payer {
  readonly name: string;
  readonly amount: string;
}

const PEOPLE: readonly Payer[] = [
  { name: 'Otieno, "Junior"', amount: '-150.00' },
  { name: '=1+1', amount: '2.00' },
];
const COLUMNS = { name: (payer: Payer) => payer.name, amount: (payer: Payer) => payer.amount };
const page = z.object({
  items: z.array(z.object({ name: z.string(), amount: z.string() })),
  nextCursor: z.string().nullable(),
});

/** A service with one list, whose last page is behind the cursor `last`. */
async function startListing(): Promise<TestServer> {
  return startTestServer(({ app }) => {
    const querystring = z.object({ cursor: z.string().optional(), name: z.string().optional() });
    const schema = { querystring, response: { 200: jsonOrCsv('The payers.', page) } };
    app.get('/payers', { schema }, (request, reply) => {
      const nextCursor = request.query.cursor === 'last' ? null : 'last';
      return prefersCsv(request)
        ? csvAnswer(reply, { name: 'payers', columns: COLUMNS, rows: PEOPLE, nextCursor })
        : { items: [...PEOPLE], nextCursor };
    });
  });
}

test('a list is CSV for those who ask for it: a file, with a link to the next page and the same filters', async () => {
  await using service = await startListing();
  const response = await fetch(`${service.url}/payers?name=%C3%89ve%20%26&cursor=first`, {
    headers: { accept: 'text/csv' },
  });
  expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  expect(response.headers.get('content-disposition')).toBe('attachment; filename="payers.csv"');
  const next = /^<(.+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1] ?? '';
  const address = new URL(next, service.url);
  expect(address.pathname).toBe('/payers');
  expect(Object.fromEntries(address.searchParams)).toEqual({ name: 'Éve &', cursor: 'last' });
  expect(await response.text()).toBe('name,amount\r\n"Otieno, ""Junior""",-150.00\r\n\'=1+1,2.00\r\n');
});

test('the last page has no link', async () => {
  await using service = await startListing();
  const response = await fetch(`${service.url}/payers?cursor=last`, { headers: { accept: 'text/csv' } });
  expect([response.status, response.headers.get('link')]).toEqual([200, null]);
});

test.each(['application/json', '*/*', 'text/csv;q=0.5, application/json'])(
  'a list is JSON for `Accept: %s`',
  async (accept) => {
    await using service = await startListing();
    const response = await fetch(`${service.url}/payers`, { headers: { accept } });
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(await response.json()).toEqual({ items: PEOPLE, nextCursor: 'last' });
  },
);

test('a client that wants neither JSON nor CSV gets 406', async () => {
  await using service = await startListing();
  const response = await fetch(`${service.url}/payers`, { headers: { accept: 'image/png' } });
  expect(response.status).toBe(406);
});
