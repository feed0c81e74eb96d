import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { HttpProblem } from './problems/problem.ts';
import { secretDigest } from './callers/secrets.ts';
import { startTestServer } from './testing.ts';

const PHONE = '254712345678';

/** The status, the content type and the body without the request id, which differs each time. */
async function answerOf(response: Response) {
  const { requestId, ...body } = (await response.json()) as Record<string, unknown>;
  expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
  return { status: response.status, type: response.headers.get('content-type'), body };
}

const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

test('an unknown path answers 404 as problem details whatever body is sent to it', async () => {
  await using service = await startTestServer(() => {});
  const answers = await Promise.all([
    fetch(`${service.url}/nothing`).then(answerOf),
    fetch(`${service.url}/nothing`, {
      method: 'POST',
      body: '<x/>',
      headers: { 'content-type': 'text/xml' },
    }).then(answerOf),
    fetch(`${service.url}/nothing`, {
      method: 'POST',
      body: '{',
      headers: { 'content-type': 'application/json' },
    }).then(answerOf),
  ]);
  for (const answer of answers) {
    expect(answer).toEqual({
      status: 404,
      type: PROBLEM_TYPE,
      body: {
        type: '/problems/not_found',
        title: 'There is nothing here.',
        status: 404,
        code: 'not_found',
      },
    });
  }
});

test('each fault of a request has its own status', async () => {
  await using service = await startTestServer(({ app }) => {
    app.post('/items', { schema: { body: z.object({ name: z.string() }) } }, () => ({ ok: true }));
  });
  const post = async (body: string, type: string) => {
    const response = await fetch(`${service.url}/items`, {
      method: 'POST',
      body,
      headers: { 'content-type': type },
    });
    return (await answerOf(response)).body['code'];
  };
  expect(await post('{"name":', 'application/json')).toBe('malformed_request');
  expect(await post('{"name":1}', 'application/json')).toBe('invalid_request');
  expect(await post('name', 'text/xml')).toBe('unsupported_media_type');
  expect(await post(JSON.stringify({ name: 'x'.repeat(65_536) }), 'application/json')).toBe('body_too_large');
});

test('a body that is not UTF-8 is refused, and not understood as something else', async () => {
  await using service = await startTestServer(({ app }) => {
    app.post('/items', { schema: { body: z.object({ name: z.string() }) } }, ({ body }) => body);
  });
  const post = async (bytes: readonly number[]) => {
    const body = Uint8Array.from([...Buffer.from('{"name":"J'), ...bytes, ...Buffer.from('n"}')]);
    const headers = { 'content-type': 'application/json' };
    return fetch(`${service.url}/items`, { method: 'POST', body, headers });
  };
  const { status, body } = await answerOf(await post([0xff]));
  expect({ status, ...body }).toMatchObject({
    status: 400,
    code: 'malformed_request',
    detail: 'The body is not UTF-8.',
  });
  expect(await (await post([0xc3, 0xb6])).json()).toEqual({ name: 'Jön' });
});

test('a request without a body may say that it is JSON', async () => {
  await using service = await startTestServer(({ app }) => {
    app.delete('/items', () => ({ ok: true }));
  });
  const headers = { 'content-type': 'application/json' };
  expect((await fetch(`${service.url}/items`, { method: 'DELETE', headers })).status).toBe(200);
});

test('a refused body says which field is wrong and does not repeat its value', async () => {
  await using service = await startTestServer(({ app }) => {
    app.post('/items', { schema: { body: z.object({ phone: z.number() }) } }, () => ({ ok: true }));
  });
  const response = await fetch(`${service.url}/items`, {
    method: 'POST',
    body: JSON.stringify({ phone: PHONE }),
    headers: { 'content-type': 'application/json' },
  });
  const answer = await answerOf(response);
  expect(answer.status).toBe(422);
  expect(answer.body['findings']).toEqual([
    { where: 'body/phone', what: expect.stringContaining('number') as string },
  ]);
  expect(JSON.stringify(answer.body)).not.toContain(PHONE);
});

test('an unexpected error answers 500 and its message reaches neither the answer nor the log', async () => {
  await using service = await startTestServer(({ app }) => {
    app.get('/fails', () => {
      throw new Error(`cannot handle ${PHONE}`);
    });
  });
  const answer = await answerOf(await fetch(`${service.url}/fails`));
  expect(answer.status).toBe(500);
  expect(answer.body).toEqual({
    type: '/problems/internal_error',
    title: 'The service failed to handle the request.',
    status: 500,
    code: 'internal_error',
  });
  expect(service.lines.join('')).toContain('server.test.ts');
  expect(service.lines.join('')).not.toContain(PHONE);
});

test('an error with a status of its own that is not ours does not choose the answer', async () => {
  await using service = await startTestServer(({ app }) => {
    app.get('/fails', () => {
      throw Object.assign(new Error('teapot'), { statusCode: 418, code: 'E_TEAPOT' });
    });
  });
  expect((await fetch(`${service.url}/fails`)).status).toBe(500);
});

test('an error of the domain is answered as its mapper says, with its headers', async () => {
  class Busy extends Error {}
  const mapError = (error: unknown) =>
    error instanceof Busy
      ? new HttpProblem({ code: 'busy', status: 503, title: 'Busy.', headers: { 'retry-after': '1' } })
      : null;
  await using service = await startTestServer(
    ({ app }) => {
      app.get('/busy', () => {
        throw new Busy();
      });
    },
    { mapError },
  );
  const response = await fetch(`${service.url}/busy`);
  expect(response.headers.get('retry-after')).toBe('1');
  expect(await answerOf(response)).toMatchObject({ status: 503, body: { code: 'busy' } });
});

test('an answer that does not match its schema is a 500 without the data', async () => {
  await using service = await startTestServer(({ app }) => {
    const reply = z.object({ amount: z.string() });
    app.get('/wrong', { schema: { response: { 200: reply } } }, () => ({ amount: 5, phone: PHONE }) as never);
  });
  const answer = await answerOf(await fetch(`${service.url}/wrong`));
  expect(answer.status).toBe(500);
  expect(service.lines.join('')).not.toContain(PHONE);
});

test('a URL that cannot be decoded is a 400 problem', async () => {
  await using service = await startTestServer(() => {});
  expect(await answerOf(await fetch(`${service.url}/%zz`))).toMatchObject({
    status: 400,
    type: PROBLEM_TYPE,
    body: { code: 'malformed_request' },
  });
});

test('bytes that are not HTTP are answered with a 400 problem and the connection ends', async () => {
  await using service = await startTestServer(() => {});
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.end('this is not HTTP\r\n\r\n');
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  expect(answer).toContain('"code":"malformed_request"');
});

test.each(['destroy', 'end'] as const)(
  'a client that hangs up in the middle of a body is no failure, a broken connection of ours is one (%s)',
  async (hangUp) => {
    const lines = new EventEmitter();
    const write = (line: string) => {
      const entry = JSON.parse(line) as Record<string, unknown>;
      if ('problem' in entry) lines.emit('problem', entry);
    };
    await using service = await startTestServer(
      ({ app }) => {
        app.post('/items', () => {
          throw Object.assign(new Error('aborted'), { code: 'ECONNRESET', statusCode: 400 });
        });
      },
      { logDestination: { write } },
    );
    const failed = once(lines, 'problem');
    await fetch(`${service.url}/items`, { method: 'POST' });
    expect(await failed).toMatchObject([{ level: 'error', problem: 'internal_error' }]);

    const refused = once(lines, 'problem');
    const arriving = once(service.server.app.server, 'request');
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    socket.resume();
    socket.write('POST /items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n');
    socket.write('Content-Length: 100\r\n\r\n{"a":');
    await arriving;
    socket[hangUp]();
    expect(await refused).toMatchObject([{ level: 'debug', problem: 'malformed_request' }]);
  },
);

test('the log shows the pattern of the route and never the URL or a secret', async () => {
  await using service = await startTestServer(
    ({ app }) => {
      app.post('/hooks/:token', (request) => {
        request.log.warn(`somebody wrote hook-secret-1 into a message`);
        return { ok: true };
      });
    },
    { secrets: ['hook-secret-1'] },
  );
  await fetch(`${service.url}/hooks/hook-secret-1?phone=${PHONE}`, { method: 'POST', body: PHONE });
  const log = service.lines.join('');
  expect(log).toContain('"route":"/hooks/:token"');
  expect(log).not.toContain('hook-secret-1');
  expect(log).not.toContain(PHONE);
});

test('a request id that the caller sends is not taken over', async () => {
  await using service = await startTestServer(() => {});
  const response = await fetch(`${service.url}/health/live`, {
    headers: { 'x-request-id': PHONE, 'request-id': PHONE },
  });
  expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  expect(service.lines.join('')).not.toContain(PHONE);
});

test('the OpenAPI description lists the routes and the page to read it is served', async () => {
  await using service = await startTestServer(({ app }) => {
    app.get('/items/:id', { schema: { params: z.object({ id: z.string() }) } }, () => ({}));
  });
  const description = (await (await fetch(`${service.url}/docs/json`)).json()) as { paths: object };
  expect(Object.keys(description.paths)).toContain('/items/{id}');
  expect(Object.keys(description.paths)).not.toContain('/metrics');
  const page = await fetch(`${service.url}/docs`);
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toContain('text/html');
  expect(page.headers.get('content-security-policy')).not.toContain('upgrade-insecure-requests');
});

test('metrics need a key and count requests by route pattern, never by URL', async () => {
  await using service = await startTestServer(({ app }) => {
    app.get('/items/:id', () => ({}));
  });
  await fetch(`${service.url}/items/${PHONE}`);
  await fetch(`${service.url}/unknown/${PHONE}`);
  expect((await fetch(`${service.url}/metrics`)).status).toBe(401);
  const response = await fetch(`${service.url}/metrics`, { headers: { authorization: 'Bearer test-key' } });
  const metrics = await response.text();
  expect(metrics).toContain(
    'http_request_duration_seconds_count{service="test",method="GET",route="/items/:id",status="200"} 1',
  );
  expect(metrics).toContain(
    'http_request_duration_seconds_count{service="test",method="GET",route="unmatched",status="404"} 1',
  );
  expect(metrics).toContain('process_resident_memory_bytes');
  expect(metrics).not.toContain(PHONE);
});

test('a key that may read may read metrics, and one that may not is refused', async () => {
  const apiKeys = ['read', 'transact'].map((scope) => ({ hash: secretDigest(scope), scopes: [scope] }));
  await using service = await startTestServer(() => {}, { apiKeys });
  const statusOf = async (key: string) => {
    const headers = { authorization: `Bearer ${key}` };
    return (await fetch(`${service.url}/metrics`, { headers })).status;
  };
  expect([await statusOf('read'), await statusOf('transact')]).toEqual([200, 403]);
});
