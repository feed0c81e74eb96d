import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startTestServer } from '../testing.ts';
import { findAnswerFaults, sendBytes } from '../wire.ts';

const HEAD = 'Host: x\r\nConnection: close\r\n';

function startServer() {
  return startTestServer(({ app }) => {
    const body = z.strictObject({ name: z.string() });
    app.post('/items/:id', { schema: { body } }, (request) => request.body);
    app.get('/items/:id', () => ({ ok: true }));
    app.delete('/gone', () => ({ ok: true }));
  });
}

/** Sends a request and gives its status and code, after a look at the rest of the answer. */
async function refusalOf(url: string, request: string): Promise<string> {
  const answer = await sendBytes(url, request);
  expect(findAnswerFaults(request.split(' ')[0] ?? '', answer)).toEqual([]);
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  const { code } = z.object({ code: z.string() }).parse(JSON.parse(answer.body));
  return `${String(answer.status)} ${code}`;
}

test.each(['nothing', '%00', '..', '../x', '%2e%2e/x', '%5c..', '.git', 'a'.repeat(5_000)])(
  'there is no file %s among those of the documentation',
  async (name) => {
    await using service = await startServer();
    const request = `GET /docs/static/${name} HTTP/1.1\r\n${HEAD}\r\n`;
    expect(await refusalOf(service.url, request)).toBe('404 not_found');
  },
);

test.each([
  ['no Host', 'GET /items/1 HTTP/1.1\r\nConnection: close\r\n\r\n', '400 malformed_request'],
  ['two of them', `GET /items/1 HTTP/1.1\r\nHost: y\r\n${HEAD}\r\n`, '400 malformed_request'],
  ['no Host and an unknown path', 'GET /x HTTP/1.1\r\nConnection: close\r\n\r\n', '400 malformed_request'],
  ['a wrong escape', `GET /items/%zz HTTP/1.1\r\n${HEAD}\r\n`, '400 malformed_request'],
  ['an expectation', `POST /items/1 HTTP/1.1\r\n${HEAD}Expect: x\r\n\r\n`, '417 expectation_failed'],
  ['a tunnel', `CONNECT x:1 HTTP/1.1\r\n${HEAD}\r\n`, '400 malformed_request'],
  ['long headers', `GET /x HTTP/1.1\r\n${HEAD}X: ${'a'.repeat(20_000)}\r\n\r\n`, '431 headers_too_large'],
  ['what is no method', `BREW /x HTTP/1.1\r\n${HEAD}\r\n`, '400 malformed_request'],
])('a request with %s is refused with problem details', async (_name, request, expected) => {
  await using service = await startServer();
  expect(await refusalOf(service.url, request)).toBe(expected);
});

test('a path that has other methods says which, and knows HEAD and OPTIONS', async () => {
  await using service = await startServer();
  const ask = async (method: string, path: string) => {
    const { status, headers } = await fetch(`${service.url}${path}`, { method });
    return [status, headers.get('allow')];
  };
  expect(await ask('PUT', '/items/1')).toEqual([405, 'GET, HEAD, OPTIONS, POST']);
  expect(await ask('POST', '/gone?x=1')).toEqual([405, 'DELETE, OPTIONS']);
  expect(await ask('PROPFIND', '/health/live')).toEqual([405, 'GET, HEAD, OPTIONS']);
  expect(await ask('OPTIONS', '/items/1')).toEqual([204, 'GET, HEAD, OPTIONS, POST']);
  expect(await ask('HEAD', '/items/1')).toEqual([200, null]);
  expect(await ask('PUT', '/nothing')).toEqual([404, null]);
  expect(await ask('OPTIONS', '/nothing')).toEqual([404, null]);
  const all = await sendBytes(service.url, `OPTIONS * HTTP/1.1\r\n${HEAD}\r\n`);
  expect([all.status, all.headers.get('allow')]).toEqual([204, 'DELETE, GET, HEAD, OPTIONS, POST']);
});

const JSON_TYPE = 'Content-Type: application/json\r\n';

test.each([
  ['POST', '/items/1', 'Content-Type: text/plain\r\n', 'x', '415 unsupported_media_type'],
  ['POST', '/items/1', 'Content-Type: text/plain\r\n', '{"name":"x"}', '415 unsupported_media_type'],
  ['POST', '/items/1', '', '{"name":"x"}', '415 unsupported_media_type'],
  ['POST', '/items/1', 'Content-Type: \r\n', 'x', '415 unsupported_media_type'],
  ['POST', '/items/1', 'Content-Type: ;;\r\n', 'x', '415 unsupported_media_type'],
  [
    'POST',
    '/items/1',
    'Content-Type: application/x-www-form-urlencoded\r\n',
    'a=1',
    '415 unsupported_media_type',
  ],
  ['POST', '/items/1', `${JSON_TYPE}Content-Encoding: gzip\r\n`, 'x', '415 unsupported_media_type'],
  ['DELETE', '/gone', 'Content-Type: text/plain\r\n', 'x', '415 unsupported_media_type'],
  ['DELETE', '/gone', '', 'x', '415 unsupported_media_type'],
  ['DELETE', '/gone', JSON_TYPE, '{', '400 malformed_request'],
  ['POST', '/items/1', JSON_TYPE, '', '422 invalid_request'],
  ['POST', '/items/1', JSON_TYPE, '"x"', '422 invalid_request'],
  ['POST', '/items/1', JSON_TYPE, '{"name":"x","name":"y"}', '400 repeated_member'],
  ['POST', '/items/1', JSON_TYPE, '{"name":"x","n\\u0061me":"x"}', '400 repeated_member'],
  ['POST', '/items/1', JSON_TYPE, '{"name":"x","more":[{"a":1,"a":1}]}', '400 repeated_member'],
  ['POST', '/items/1', JSON_TYPE, '{"name":"x","__proto__":1,"__proto__":1}', '400 malformed_request'],
  ['POST', '/items/1', JSON_TYPE, '{"name":"x","__proto__":{"name":"y"}}', '400 malformed_request'],
  ['DELETE', '/gone', JSON_TYPE, '{"a":1,"a":2}', '400 repeated_member'],
])('%s %s with %j and the body %j is refused with %5$s', async (...given) => {
  const [method, path, headers, body, expected] = given;
  await using service = await startServer();
  const length = `Content-Length: ${String(Buffer.byteLength(body))}\r\n`;
  const request = `${method} ${path} HTTP/1.1\r\n${HEAD}${headers}${length}\r\n${body}`;
  expect(await refusalOf(service.url, request)).toBe(expected);
});

test('a repeated member is named when it looks like a field, and not when it may be anything', async () => {
  await using service = await startServer();
  const post = async (body: string) => {
    const headers = { 'content-type': 'application/json' };
    return (await fetch(`${service.url}/items/1`, { method: 'POST', body, headers })).text();
  };
  expect(await post('{"amount":1,"amount":2}')).toContain('`amount`');
  expect(await post('{"254712345678":1,"254712345678":2}')).not.toContain('254712345678');
  expect(service.lines.join('')).not.toContain('254712345678');
});

test('the body of a GET says nothing and is passed over', async () => {
  await using service = await startServer();
  for (const type of ['', 'Content-Type: text/plain\r\n', JSON_TYPE]) {
    const request = `GET /items/1 HTTP/1.1\r\n${HEAD}${type}Content-Length: 1\r\n\r\n{`;
    expect((await sendBytes(service.url, request)).status).toBe(200);
  }
});

test.each([
  ['head', 'POST /items/1 HTTP/1.1\r\nHost: x\r\n'],
  ['body', `POST /items/1 HTTP/1.1\r\nHost: x\r\n${JSON_TYPE}Content-Length: 100\r\n\r\n{"name":`],
])('a request whose %s does not end in time is answered 408 and cut', async (_part, sent) => {
  await using service = await startTestServer(
    ({ app }) => {
      app.post('/items/:id', (request) => request.body);
    },
    { requestTimeoutMs: 50 },
  );
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.write(sent);
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  expect(answer).toContain('"code":"request_timeout"');
});

test('head and body have the same time, and no longer', async () => {
  await using service = await startTestServer(() => {});
  const { server } = service.server.app;
  expect(server).toMatchObject({ requestTimeout: 30_000, headersTimeout: 30_000 });
});
