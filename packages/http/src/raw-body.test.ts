import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fastify } from 'fastify';
import { expect, onTestFinished, test } from 'vitest';
import { takeRawBodies } from './raw-body.ts';
import type { RawBody } from './raw-body.ts';

const limit = 1_000;

/** A server that answers what it understood of a body: its length, its digest and whether it was cut. */
async function startServer(): Promise<{ port: number; finished: Promise<unknown> }> {
  const app = fastify();
  const { promise: finished, resolve } = Promise.withResolvers();
  takeRawBodies(app, limit);
  app.post('/', (request) => {
    const { bytes, isCut, contentType } = request.body as RawBody;
    return { length: bytes.length, digest: digestOf(bytes), isCut, contentType };
  });
  app.setErrorHandler((error, _request, reply) => {
    resolve(error);
    return reply.code(400).send();
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => app.close());
  return { port: (app.server.address() as AddressInfo).port, finished };
}

const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

test.each([
  ['no content type', null],
  ['JSON', 'application/json'],
  ['a form', 'application/x-www-form-urlencoded'],
  ['a multipart form', 'multipart/form-data; boundary=x'],
  ['text that is no content type', ';;garbage'],
  ['an empty content type', ''],
])('with %s the bytes arrive as they were sent, and the type beside them', async (_what, type) => {
  const { port } = await startServer();
  const body = Buffer.from([0x7b, 0x00, 0xff, 0xfe, 0x7d]);
  const socket = connect(port, '127.0.0.1');
  socket.write(
    `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${String(body.length)}\r\n`,
  );
  socket.write(type === null ? '\r\n' : `Content-Type: ${type}\r\n\r\n`);
  socket.write(body);
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(answer).toContain(
    JSON.stringify({ length: body.length, digest: digestOf(body), isCut: false, contentType: type }),
  );
});

test.each([
  [0, false],
  [limit, false],
  [limit + 1, true],
  [200_000, true],
])('of %i bytes the beginning up to the limit is kept, cut: %s', async (length, isCut) => {
  const { port } = await startServer();
  const body = Buffer.alloc(length, 'abcdefg');
  const response = await fetch(`http://127.0.0.1:${String(port)}/`, { method: 'POST', body });
  const kept = body.subarray(0, limit);
  expect(await response.json()).toMatchObject({ length: kept.length, digest: digestOf(kept), isCut });
});

test('a body that arrives in pieces is put together', async () => {
  const { port } = await startServer();
  async function* pieces() {
    for (const piece of ['{"a":', '"b', 'c"}']) yield Buffer.from(piece);
  }
  const response = await fetch(`http://127.0.0.1:${String(port)}/`, {
    method: 'POST',
    body: pieces(),
    duplex: 'half',
  });
  expect(await response.json()).toMatchObject({ length: 10, digest: digestOf(Buffer.from('{"a":"bc"}')) });
});

test('a body that ends before its time is no message', async () => {
  const { port, finished } = await startServer();
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"TransID":', () =>
    socket.destroy(),
  );
  expect(await finished).toMatchObject({ code: 'malformed_request' });
});
