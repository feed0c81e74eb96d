import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { confirmationOf, createPayment, createRandom } from '@repo/simulator';
import { until } from '@repo/testing/until';
import { beforeEach, expect, test } from 'vitest';
import { openCustomerWallet, startTestService, TEST_TOKEN, useTestService } from './testing.ts';
import type { TestService } from './testing.ts';

const service = useTestService();

// Whatever comes with the right token is in the inbox afterwards, and nothing that could be stored is answered 5xx.

const random = createRandom('ways-in.test');
const PATH = `/c2b/${TEST_TOKEN}/confirmation`;

/** A confirmation of 10.00 for a customer, as text. */
async function newConfirmation(of: TestService): Promise<{ body: string; receipt: string }> {
  const account = await openCustomerWallet(of.db);
  const payment = createPayment(random, { account, amount: '10.00' });
  return { body: JSON.stringify(confirmationOf(payment)), receipt: payment.receipt };
}

/** Writes bytes to the service's socket and gives all that it answers. */
async function write(of: TestService, ...parts: readonly (string | Buffer)[]): Promise<string> {
  const socket = connect(Number(new URL(of.url).port), '127.0.0.1');
  await once(socket, 'connect');
  for (const part of parts) socket.write(part);
  return text(socket);
}

function head(requestLine: string, headers: readonly string[]): string {
  return [requestLine, 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n');
}

/** Of the service that the tests share: what was in its inbox before this one. */
let before: unknown[] = [];
beforeEach(async () => {
  before = (await service.database.query('SELECT id FROM services.mpesa_callbacks')).map(({ id }) => id);
});

/** What this test brought into the inbox, in the order of arrival. */
function readInbox({ database }: TestService) {
  return database.query(
    `SELECT kind, receipt, outcome, error, convert_from(body, 'UTF8') AS body
       FROM services.mpesa_callbacks WHERE id <> ALL ('{${before.join(',')}}') ORDER BY received_at, id`,
  );
}

test.each([
  ['a slash at the end', `${PATH}/`],
  ['several slashes', `//c2b//${TEST_TOKEN}///confirmation//`],
  ['capitals', `/C2B/${TEST_TOKEN}/Confirmation`],
  ['a query', `${PATH}?source=x`],
  ['percent-encoding', `/c2b/%${TEST_TOKEN.charCodeAt(0).toString(16)}${TEST_TOKEN.slice(1)}/confirm%61tion`],
  ['a space at the end', `${PATH}%20`],
  ['a whole address', `http://pay.example${PATH}`],
])('a confirmation whose path has %s is credited', async (_what, target) => {
  const { body, receipt } = await newConfirmation(service);
  const length = `Content-Length: ${String(body.length)}`;
  const answer = await write(service, head(`POST ${target} HTTP/1.1`, [length]), body);
  expect(answer).toMatch(/^HTTP\/1\.1 200 .*"ResultCode":0/s);
  expect(await readInbox(service)).toMatchObject([{ receipt, outcome: 'CREDITED', body }]);
});

test.each([
  ['no content type', []],
  ['text/plain', ['Content-Type: text/plain']],
  ['a multipart type', ['Content-Type: multipart/form-data; boundary=x']],
  ['a charset that is not true', ['Content-Type: application/json; charset=ISO-8859-1']],
  ['100-continue', ['Expect: 100-continue']],
  ['an expectation that nobody knows', ['Expect: a-miracle']],
  ['an upgrade', ['Upgrade: h2c']],
])('a confirmation with %s is credited', async (_what, headers) => {
  const { body, receipt } = await newConfirmation(service);
  const length = `Content-Length: ${String(body.length)}`;
  const answer = await write(service, head(`POST ${PATH} HTTP/1.1`, [...headers, length]), body);
  expect(answer).toMatch(/HTTP\/1\.1 200 .*"ResultCode":0/s);
  expect(await readInbox(service)).toMatchObject([{ receipt, outcome: 'CREDITED' }]);
});

test.each([
  [
    'HTTP/1.0',
    (body: string) => [`POST ${PATH} HTTP/1.0\r\nContent-Length: ${String(body.length)}\r\n\r\n`, body],
  ],
  [
    'chunks',
    (body: string) => [
      head(`POST ${PATH} HTTP/1.1`, ['Transfer-Encoding: chunked']),
      `5\r\n${body.slice(0, 5)}\r\n${(body.length - 5).toString(16)}\r\n${body.slice(5)}\r\n0\r\n\r\n`,
    ],
  ],
  [
    'a byte order mark',
    (body: string) => [
      head(`POST ${PATH} HTTP/1.1`, [`Content-Length: ${String(body.length + 3)}`]),
      `\uFEFF${body}`,
    ],
  ],
])('a confirmation in %s is credited', async (_what, partsOf) => {
  const { body, receipt } = await newConfirmation(service);
  expect(await write(service, ...partsOf(body))).toMatch(/ 200 .*"ResultCode":0/s);
  expect(await readInbox(service)).toMatchObject([{ receipt, outcome: 'CREDITED' }]);
});

test.each([
  [`POST /c2b/${TEST_TOKEN}/conformation`, 404, 'unknown_path'],
  [`POST /c2b/${TEST_TOKEN}`, 404, 'unknown_path'],
  [`POST /c2b/${TEST_TOKEN}/confirmation/more`, 404, 'unknown_path'],
  [`POST /c2b/${TEST_TOKEN}/confirmation%`, 404, 'unknown_path'],
  [`POST /c2b/${TEST_TOKEN}/../confirmation`, 404, 'unknown_path'],
  [`PUT ${PATH}`, 405, 'method_not_post'],
  [`PATCH ${PATH}`, 405, 'method_not_post'],
  [`DELETE ${PATH}`, 405, 'method_not_post'],
  [`GET ${PATH}`, 405, 'method_not_post'],
])('what comes by %s is refused and kept', async (line, status, error) => {
  const { body, receipt } = await newConfirmation(service);
  const length = `Content-Length: ${String(body.length)}`;
  const answer = await write(service, head(`${line} HTTP/1.1`, [length]), body);
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${String(status)} `));
  expect(answer).toContain('is kept');
  expect(await readInbox(service)).toEqual([
    { kind: 'UNKNOWN', receipt, outcome: 'QUARANTINED', error, body },
  ]);
});

test('a look at the address with a browser leaves nothing behind', async () => {
  const response = await fetch(`${service.url}${PATH}`);
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  expect(await readInbox(service)).toEqual([]);
});

test.each([65_537, 64 * 1024 + 1024 * 1024 + 1, 20_000_000])(
  'a body of %i bytes is refused with 413, and its beginning is kept with its size',
  async (size) => {
    await using own = await startTestService();
    const { body, receipt } = await newConfirmation(own);
    const answer = await write(
      own,
      head(`POST ${PATH} HTTP/1.1`, [`Content-Length: ${String(size)}`]),
      body.slice(0, -1),
      Buffer.alloc(size - body.length + 1, ' '),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 .*body_too_large/s);
    const [row] = await own.database.query(
      'SELECT receipt, outcome, error, length(body) AS length FROM services.mpesa_callbacks',
    );
    expect(row).toEqual({
      receipt,
      outcome: 'QUARANTINED',
      error: `body_too_large: 65536 of ${String(size)} bytes kept`,
      length: 65_536,
    });
  },
);

test.each([
  ['its middle', (body: string) => body.slice(0, 80), 'body_incomplete'],
  ['more than the limit', () => 'x'.repeat(70_000), 'body_too_large'],
])('of a confirmation whose sender hangs up after %s what came is kept', async (_what, sentOf, error) => {
  const { body } = await newConfirmation(service);
  const sent = sentOf(body);
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.write(`${head(`POST ${PATH} HTTP/1.1`, ['Content-Length: 90000'])}${sent}`, () =>
    socket.destroySoon(),
  );
  await until('a row in the inbox', () => readInbox(service), {
    isFit: (rows) => rows.length > 0,
    show: (rows) => rows.length,
  });
  const kept = Math.min(sent.length, 65_536);
  expect(await readInbox(service)).toMatchObject([
    {
      kind: 'C2B_CONFIRMATION',
      outcome: 'QUARANTINED',
      error: `${error}: ${String(kept)} of 90000 bytes kept`,
      body: sent.slice(0, kept),
    },
  ]);
});
